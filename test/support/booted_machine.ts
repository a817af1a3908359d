import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
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
  /** Runs a program inside, as root. */
  run(...argv: string[]): Promise<Ran>;
  /** Runs a program outside that shares only its network; for what a test brings along. */
  runBeside(argv: readonly string[], env?: Record<string, string>): Promise<Ran>;
  /** Starts such a program; it is killed with the machine. */
  startBeside(argv: readonly string[], cwd: string): void;
  /** Starts it anew, with another boot id, and waits until it is up: what was written stays, but for /tmp, /run and /dev. */
  reboot(): Promise<void>;
  /** Where a path of the machine is seen from outside. Not for /tmp, /run and /dev: the machine mounts its own there. */
  outside(path: string): string;
  write(path: string, text: string, mode?: number): Promise<void>;
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
/** What systemd-nspawn exits with where its machine is to boot again. */
const REBOOTED = 133;

/**
 * Boots systemd in a container with a network of its own (loopback only). Its files are an overlay of `/`, whose changes
 * live in memory.
 */
export async function bootMachine(): Promise<BootedMachine> {
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
    // Only the basic system is booted, without this machine's own services and timers.
    await mkdir(join(tree, "etc/systemd/system"), { recursive: true });
    await rm(join(tree, "etc/systemd/system/timers.target"), { force: true });
    await symlink("/dev/null", join(tree, "etc/systemd/system/timers.target"));
    const name = basename(directory);
    await must("ip", "netns", "add", name);
    cleanUps.push(() => must("ip", "netns", "delete", name));
    await must("ip", "-n", name, "link", "set", "lo", "up");
    // Two machines at once, of two runs of the tests, would keep their units in the same control groups otherwise, and
    // each wait for the other's processes to end.
    const groups = await makeControlGroups(name);
    cleanUps.push(async () => groups[Symbol.asyncDispose]());
    return await boot({ name, directory, tree, groups: groups.directories }, cleanUps, tearDown);
  } catch (error) {
    await tearDown();
    throw error;
  }
}

interface Prepared {
  /** Of the machine and of its network namespace. */
  readonly name: string;
  /** For what belongs to the machine and is not in it. */
  readonly directory: string;
  readonly tree: string;
  readonly groups: readonly string[];
}

async function boot(
  { name, directory, tree, groups }: Prepared,
  cleanUps: (() => Promise<unknown>)[],
  tearDown: () => Promise<void>,
): Promise<BootedMachine> {
  const consoleLog = join(directory, "console.log");
  const start = () =>
    Bun.spawn(
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
        "systemd.unit=basic.target",
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
  let container = start();
  // Its init, once it is there.
  let leader = "";
  cleanUps.push(async () => {
    if (leader !== "") await collect(["nsenter", "--target", leader, "--all", "--root", "systemctl", "poweroff"]);
    const ended = await Promise.race([container.exited.then(() => true), Bun.sleep(STOP_MS).then(() => false)]);
    // Its init dies with it.
    if (!ended) container.kill("SIGKILL");
    await container.exited;
  });
  const run = (...argv: string[]) => collect(["nsenter", "--target", leader, "--all", "--root", "--wd=/", ...argv]);
  const booted = async (): Promise<void> => {
    let waitsFor = "its init to be started";
    try {
      await eventually(async () => {
        if (container.exitCode !== null) return true;
        leader = (await initBelow(container.pid)) ?? "";
        return leader !== "" && (await run("systemctl", "is-active", "basic.target")).code === 0;
      }, BOOT_MS);
      if (container.exitCode !== null) throw new Error(`systemd-nspawn ended with ${container.exitCode}`);
    } catch (error) {
      if (leader !== "") waitsFor = (await run("systemctl", "list-jobs")).output;
      const said = [await readFile(join(directory, "nspawn.log"), "utf8"), await readFile(consoleLog, "utf8")].join("");
      throw new Error(`systemd did not boot.\n--- it waits for\n${waitsFor}\n--- it said\n${said}`, { cause: error });
    }
  };
  await booted();

  const outside = (path: string): string => join(tree, path);
  return {
    run,
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
    reboot: async () => {
      await run("systemctl", "reboot");
      // It leaves the restart to whoever runs it.
      const code = await container.exited;
      if (code !== REBOOTED) throw new Error(`systemd-nspawn ended with ${code}, not ${REBOOTED}, to be started again`);
      container = start();
      await booted();
    },
    outside,
    write: async (path, text, mode = 0o644) => {
      await mkdir(dirname(outside(path)), { recursive: true });
      await writeFile(outside(path), text, { mode });
    },
    [Symbol.asyncDispose]: tearDown,
  };
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
