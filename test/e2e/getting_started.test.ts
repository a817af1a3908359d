import { expect, test } from "bun:test";
import { appendFile, chmod, copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deploydBinary } from "../harness/binary.ts";
import { bootMachine, type BootedMachine } from "../harness/booted_machine.ts";
import { eventually } from "../harness/eventually.ts";
import { connectMachines, OUTSIDE } from "../harness/machine_network.ts";
import type { NetworkNamespace } from "../harness/netns.ts";
import { tempDir } from "../harness/tempdir.ts";

/*
 * "Getting started on three machines" of the README, word for word: its blocks are typed on three machines that have
 * booted, and each is rebooted afterwards. Only the names that it takes for granted are given an address, and the Debian
 * packages are there already.
 */

const repository = join(import.meta.dir, "..", "..");
const NAMES = ["web-01", "web-02", "web-03"] as const;
const MIRROR = "mirror.example.com";
const PATIENCE_MS = 60_000;

interface Block {
  readonly machines: readonly string[];
  readonly script: string;
}

async function blocksOfReadme(): Promise<Block[]> {
  const readme = await readFile(join(repository, "README.md"), "utf8");
  const section = /^## Getting started on three machines$(.*?)^## /ms.exec(readme)?.[1] ?? "";
  return [...section.matchAll(/^```(\w*)\n# on ([^\n]*)\n(.*?)^```$/gms)].map(
    ([, language, where = "", script = ""]) => {
      expect(language).toBe("sh");
      return { machines: where.split(/, | and /), script };
    },
  );
}

/** What is typed as one: a line, with the lines of its here-document. */
function commandsIn(script: string): string[] {
  let ending: string | null = null;
  return script.split("\n").filter((line) => {
    const inDocument = ending !== null;
    if (line === ending) ending = null;
    else ending ??= /<<'(\w+)'/.exec(line)?.[1] ?? null;
    return !inDocument && line.trim() !== "";
  });
}

test("the README's way to three machines works as it stands, and all of it is back after a reboot of each", async () => {
  const blocks = await blocksOfReadme();
  expect(blocks.length).toBeGreaterThan(2);
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir());
  const booting = NAMES.map((hostName) => bootMachine({ hostName, target: "multi-user.target" }));
  for (const boot of await Promise.allSettled(booting)) if (boot.status === "fulfilled") stack.use(boot.value);
  const booted = await Promise.all(booting);
  const machines = new Map(booted.map((machine, index) => [NAMES[index] ?? "", machine]));
  const { network, addresses } = await connectMachines(machines, { [MIRROR]: OUTSIDE });
  stack.use(network);
  const authority = await serveRelease(network, dir.path);
  for (const machine of booted) await asJustInstalled(machine, authority);
  const within = (claim: () => Promise<boolean>): Promise<void> => withinPatience(machines, claim);

  const shells = new Map(NAMES.map((name): [string, Shell] => [name, { exports: [] }]));
  let said = "";
  for (const { machines: where, script } of blocks) {
    // As somebody has seen who reads that it must show all three.
    if (script.includes("ctl hosts list")) await within(() => agentsAreReady(booted));
    said = (await Promise.all(where.map((name) => type(machines, shells, name, script)))).join("\n");
  }
  expect(said).toContain("\nThis is v1.\n");
  const everything = async () =>
    (await agentsAreReady(booted)) && (await everythingServes(network, [...addresses.values()]));
  expect(await everything()).toBe(true);

  // That with ZooKeeper and the builds comes last.
  for (const name of NAMES.toReversed()) {
    await machines.get(name)?.reboot();
    await within(everything);
  }
  const once = blocks.map(({ script }) => commandsIn(script).length);
  const inAll = blocks.map(({ machines: where }, index) => where.length * (once[index] ?? 0));
  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
  console.log(`getting started: ${sum(once)} commands in ${blocks.length} blocks; on three machines ${sum(inAll)}`);
}, 240_000);

/** A release behind https, as the README takes for granted. Resolves with the certificate to be trusted. */
async function serveRelease(network: NetworkNamespace, directory: string): Promise<string> {
  const at = (name: string): string => join(directory, name);
  const binary = `deployd-linux-${process.arch}`;
  await mkdir(at("deployd"));
  await copyFile(await deploydBinary(), at(`deployd/${binary}`));
  await copyFile(join(repository, "install.sh"), at("deployd/install.sh"));
  // Not by .ci/release: to compress it takes as long as all the rest.
  const sum = new Bun.CryptoHasher("sha256").update(await Bun.file(at(`deployd/${binary}`)).bytes()).digest("hex");
  await writeFile(at("deployd/SHA256SUMS"), `${sum}  ${binary}\n`);
  const key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout".split(" ");
  const names = ["-subj", `/CN=${MIRROR}`, "-addext", `subjectAltName=DNS:${MIRROR}`];
  await network.must(["openssl", "req", "-x509", ...key, at("key"), "-out", at("certificate"), ...names]);
  const server = network.start([
    process.execPath,
    "-e",
    `Bun.serve({
      hostname: "${OUTSIDE}",
      port: 443,
      tls: { key: Bun.file("${at("key")}"), cert: Bun.file("${at("certificate")}") },
      fetch: async (request) => {
        const file = Bun.file("${directory}" + new URL(request.url).pathname);
        return (await file.exists()) ? new Response(file) : new Response("not here", { status: 404 });
      },
    });
    console.log("serves");`,
  ]);
  expect(await server.line()).toBe("serves");
  return await readFile(at("certificate"), "utf8");
}

/** Takes away what this machine has and a new one has not, and lets it trust the release's server. */
async function asJustInstalled(machine: BootedMachine, authority: string): Promise<void> {
  await appendFile(machine.outside("/etc/ssl/certs/ca-certificates.crt"), authority);
  for (const path of ["/etc/deployd", "/srv/deployd", "/usr/local/bin/deployd", "/var/lib/apt/lists"]) {
    await rm(machine.outside(path), { recursive: true, force: true });
  }
  // Without lists of packages apt-get takes those that are installed for the newest, and asks nobody.
  await mkdir(machine.outside("/var/lib/apt/lists/partial"), { recursive: true });
  await chmod(machine.outside("/var/lib/apt/lists"), 0o755);
}

/** A root shell that stays open from block to block. */
interface Shell {
  exports: readonly string[];
}

async function type(
  machines: ReadonlyMap<string, BootedMachine>,
  shells: ReadonlyMap<string, Shell>,
  name: string,
  script: string,
): Promise<string> {
  const [machine, shell] = [machines.get(name), shells.get(name)];
  if (machine === undefined || shell === undefined) {
    throw new Error(`The README names a machine "${name}", and there are ${NAMES.join(", ")}.`);
  }
  const text = [...shell.exports, script].join("\n");
  const { code, output } = await machine.run("env", "-C", "/root", "HOME=/root", "bash", "-exc", text);
  if (code !== 0) {
    throw new Error(`On ${name} the README's commands exited with ${code}:\n${output}\n${await journalOf(machine)}`);
  }
  shell.exports = [...shell.exports, ...commandsIn(script).filter((line) => line.startsWith("export "))];
  return output;
}

async function journalOf(machine: BootedMachine): Promise<string> {
  const units = ["deployd-agent", "web", "zookeeper", "nginx"].flatMap((unit) => ["-u", unit]);
  return `--- journal\n${(await machine.run("journalctl", "--no-pager", "-n", "40", ...units)).output}`;
}

async function withinPatience(
  machines: ReadonlyMap<string, BootedMachine>,
  claim: () => Promise<boolean>,
): Promise<void> {
  try {
    await eventually(claim, PATIENCE_MS);
  } catch (error) {
    const journals = await Promise.all([...machines.values()].map(journalOf));
    const last = error instanceof Error ? String(error.cause) : "";
    throw new Error(`${String(error)}\n${last}\n${journals.join("\n")}`, { cause: error });
  }
}

/** Every agent runs and has its name in ZooKeeper. */
async function agentsAreReady(machines: readonly BootedMachine[]): Promise<boolean> {
  const asked = machines.map((machine) => machine.run("curl", "-fsS", "http://127.0.0.1:9876/readyz"));
  return (await Promise.all(asked)).every(({ code }) => code === 0);
}

interface Status {
  readonly hosts: readonly object[];
}

/** The service on every machine, the builds' web server, and what ZooKeeper is told by the agents. */
async function everythingServes(network: NetworkNamespace, addresses: readonly string[]): Promise<true> {
  const [first = ""] = addresses;
  const get = (url: string): Promise<string> => network.must(["curl", "-fsS", "--max-time", "3", url]);
  for (const address of addresses) expect(await get(`http://${address}:8000/`)).toBe("This is v1.\n");
  await network.must(["curl", "-fsSI", "--max-time", "3", `http://${first}/builds/web-v1.tar.zst`]);
  const asked = ["ctl", "status", "web", "--json", "--zookeeper", `${first}:2181`, "--connect-timeout-s", "5"];
  const { hosts } = JSON.parse(await network.must([await deploydBinary(), ...asked])) as Status;
  expect(hosts).toMatchObject(
    NAMES.map((host) => ({ host, connected: true, phase: "serving", build: "v1", health: "healthy" })),
  );
  return true;
}
