import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { makeControlGroups } from "./control_groups.ts";
import { eventually } from "./eventually.ts";

export interface Ran {
  readonly code: number;
  /** Both streams. */
  readonly output: string;
}

/** A machine with a booted systemd, over this machine's own files, which it sees and cannot change. */
export interface BootedMachine extends AsyncDisposable {
  /** Of its network's namespace, which outlives a reboot. */
  readonly network: string;
  /** Runs a program inside, as root. */
  run(...argv: string[]): Promise<Ran>;
  /** Runs a program outside that shares only its network; for what a test brings along. */
  runBeside(argv: readonly string[], env?: Record<string, string>): Promise<Ran>;
  /** Starts such a program; it is killed with the machine. */
  startBeside(argv: readonly string[], cwd: string): void;
  /** Where a path of the machine is seen from outside. Not for /tmp, /run and /dev: the machine mounts its own there. */
  outside(path: string): string;
  write(path: string, text: string, mode?: number): Promise<void>;
  /** Has its systemd reboot it; resolves when it has booted again. Files stay, processes do not. */
  reboot(): Promise<void>;
}

export interface MachineOptions {
  /** Default: one that no other machine has. */
  readonly hostName?: string;
  /**
   * How far it boots. With "basic.target", the default, nothing that is enabled is started; with "multi-user.target" all
   * that was enabled in it, and of this machine's own services none.
   */
  readonly target?: "basic.target" | "multi-user.target";
}

const NEEDED: readonly (readonly [program: string, debianPackage: string])[] = [
  ["systemd-nspawn", "systemd-container"],
  ["systemctl", "systemd"],
  ["ip", "iproute2"],
  ["nsenter", "util-linux"],
  ["mount", "mount"],
];
const BOOT_MS = 30_000;
const STOP_MS = 15_000;
/** What systemd-nspawn exits with, kept by a unit, where the machine wants to be booted again. */
const REBOOTED = 133;

/**
 * Boots systemd in a container with a network of its own (loopback only). Its files are an overlay of `/`, whose changes
 * live in memory.
 */
export async function bootMachine(options: MachineOptions = {}): Promise<BootedMachine> {
  const { hostName, target = "basic.target" } = options;
  requireAll();
  const cleanUps: (() => Promise<unknown>)[] = [];
  const tearDown = async (): Promise<void> => {
    for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
  };
  try {
    const directory = await mkdtemp(join(tmpdir(), "deployd-machine-"));
    cleanUps.push(() => rm(directory, { recursive: true, force: true }));
    const tree = join(directory, "tree");
    await must("mount", "-t", "tmpfs", "tmpfs", directory);
    cleanUps.push(() => must("umount", directory));
    for (const name of ["upper", "work", "tree"]) await mkdir(join(directory, name));
    const layers = `lowerdir=/,upperdir=${join(directory, "upper")},workdir=${join(directory, "work")}`;
    await must("mount", "-t", "overlay", "overlay", "-o", layers, tree);
    cleanUps.push(() => must("umount", tree));
    await withoutOwnServices(join(tree, "etc"), target);
    if (hostName !== undefined) await writeFile(join(tree, "etc/hostname"), `${hostName}\n`);
    const name = basename(directory);
    await must("ip", "netns", "add", name);
    cleanUps.push(() => must("ip", "netns", "delete", name));
    await must("ip", "-n", name, "link", "set", "lo", "up");
    // Two machines at once, of two runs of the tests, would keep their units in the same control groups otherwise, and
    // each wait for the other's processes to end.
    const groups = await makeControlGroups(name);
    cleanUps.push(async () => groups[Symbol.asyncDispose]());
    return await boot({ name, directory, tree, target, groups: groups.directories }, cleanUps, tearDown);
  } catch (error) {
    await tearDown();
    throw error;
  }
}

/** Leaves in `etc` what a machine has that was just installed: without this one's services and timers. */
async function withoutOwnServices(etc: string, target: string): Promise<void> {
  const units = join(etc, "systemd/system");
  await mkdir(units, { recursive: true });
  await rm(join(units, "timers.target"), { force: true });
  await symlink("/dev/null", join(units, "timers.target"));
  if (target === "basic.target") return;
  const enabled = (await readdir(units)).filter((name) => name.endsWith(".wants")).map((name) => join(units, name));
  for (const level of ["0", "1", "2", "3", "4", "5", "6"]) {
    const directory = join(etc, `rc${level}.d`);
    for (const link of await readdir(directory).catch(() => [])) enabled.push(join(directory, link));
  }
  for (const path of enabled) await rm(path, { recursive: true });
}

interface Prepared {
  /** Of the machine and of its network namespace. */
  readonly name: string;
  /** For what belongs to the machine and is not in it. */
  readonly directory: string;
  readonly tree: string;
  readonly target: string;
  readonly groups: readonly string[];
}

async function boot(
  prepared: Prepared,
  cleanUps: (() => Promise<unknown>)[],
  tearDown: () => Promise<void>,
): Promise<BootedMachine> {
  const { name, tree } = prepared;
  let running = await startContainer(prepared);
  cleanUps.push(() => running.end("poweroff"));
  const outside = (path: string): string => join(tree, path);
  return {
    network: name,
    run: (...argv) => collect([...running.enter, ...argv]),
    runBeside: (argv, env = {}) => collect(["ip", "netns", "exec", name, ...argv], env),
    startBeside: (argv, cwd) => {
      const child = Bun.spawn(["ip", "netns", "exec", name, ...argv], {
        cwd,
        stdin: "ignore",
        stdout: "ignore",
        stderr: "inherit",
      });
      cleanUps.push(async () => {
        child.kill("SIGKILL");
        await child.exited;
      });
    },
    outside,
    write: async (path, text, mode = 0o644) => {
      await mkdir(dirname(outside(path)), { recursive: true });
      await writeFile(outside(path), text, { mode });
    },
    reboot: async () => {
      const code = await running.end("reboot");
      if (code !== REBOOTED) throw new Error(`systemd-nspawn ended with ${code} at a reboot, not with ${REBOOTED}`);
      running = await startContainer(prepared);
    },
    [Symbol.asyncDispose]: tearDown,
  };
}

interface Running {
  /** What goes before a program to run it inside. */
  readonly enter: readonly string[];
  /** Has it end and waits for that; the exit code of systemd-nspawn. */
  end(how: "poweroff" | "reboot"): Promise<number>;
}

/** Resolves when it has booted; when it does not, it is ended and what it said is thrown. */
async function startContainer({ name, directory, tree, target, groups }: Prepared): Promise<Running> {
  const consoleLog = join(directory, "console.log");
  const container = Bun.spawn(
    [
      "/bin/sh",
      "-c",
      'for group in $CONTROL_GROUPS; do echo $$ >"$group/cgroup.procs" || exit; done; exec systemd-nspawn "$@"',
      "sh",
      "--quiet",
      `--machine=${name}`,
      `--directory=${tree}`,
      `--network-namespace-path=/run/netns/${name}`,
      "--capability=CAP_NET_ADMIN,CAP_NET_RAW",
      "--register=no",
      "--keep-unit",
      // Through a pipe nothing of what systemd says would arrive.
      "--console=read-only",
      "--boot",
      `systemd.unit=${target}`,
      "systemd.show_status=1",
      "systemd.log_color=0",
    ],
    {
      env: { ...process.env, CONTROL_GROUPS: groups.join(" ") },
      stdin: "ignore",
      stdout: Bun.file(consoleLog),
      stderr: Bun.file(join(directory, "nspawn.log")),
    },
  );
  // Its init, once it is there.
  let leader = "";
  const enter = (): string[] => ["nsenter", "--target", leader, "--all", "--root", "--wd=/"];
  const end = async (how: "poweroff" | "reboot"): Promise<number> => {
    if (leader !== "" && container.exitCode === null) await collect([...enter(), "systemctl", how]);
    const ended = await Promise.race([container.exited.then(() => true), Bun.sleep(STOP_MS).then(() => false)]);
    // Its init dies with it.
    if (!ended) container.kill("SIGKILL");
    return await container.exited;
  };
  try {
    await eventually(async () => {
      if (container.exitCode !== null) return true;
      leader = (await initBelow(container.pid)) ?? "";
      return leader !== "" && (await collect([...enter(), "systemctl", "is-active", target])).code === 0;
    }, BOOT_MS);
    if (container.exitCode !== null) throw new Error(`systemd-nspawn ended with ${container.exitCode}`);
  } catch (error) {
    const jobs =
      leader === "" ? "its init to be started" : (await collect([...enter(), "systemctl", "list-jobs"])).output;
    await end("poweroff");
    const said = [await readFile(join(directory, "nspawn.log"), "utf8"), await readFile(consoleLog, "utf8")].join("");
    throw new Error(`systemd did not boot.\n--- it waits for\n${jobs}\n--- it said\n${said}`, { cause: error });
  }
  return { enter: enter(), end };
}

/**
 * The child that is process 1 of its own namespace. Before it systemd-nspawn has another child for some milliseconds, longer
 * where the machine is busy, which makes the namespaces and ends.
 */
async function initBelow(pid: number): Promise<string | undefined> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  for (const child of children.split(" ").filter((name) => name !== "")) {
    const status = await readFile(`/proc/${child}/status`, "utf8").catch(() => "");
    if (/^NSpid:.*\t1$/m.test(status)) return child;
  }
  return undefined;
}

function requireAll(): void {
  const missing = NEEDED.filter(([program]) => Bun.which(program) === null).map(([, name]) => name);
  if (process.getuid?.() !== 0) missing.push("(and to be root: mounts, network namespaces and containers are made)");
  if (!existsSync("/lib/systemd/systemd")) missing.push("systemd-sysv");
  if (missing.length > 0) throw new Error(`To boot systemd in a container, these are missing: ${missing.join(" ")}`);
}

async function must(...argv: string[]): Promise<void> {
  const { code, output } = await collect(argv);
  if (code !== 0) throw new Error(`${argv.join(" ")} exited with ${code}: ${output}`);
}

async function collect(argv: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  const child = Bun.spawn(["/bin/sh", "-c", 'exec "$@" 2>&1', "sh", ...argv], {
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const output = await new Response(child.stdout).text();
  return { code: await child.exited, output };
}
