import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
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
    const network = basename(directory);
    await must("ip", "netns", "add", network);
    cleanUps.push(() => must("ip", "netns", "delete", network));
    await must("ip", "-n", network, "link", "set", "lo", "up");
    return await boot(tree, network, cleanUps, tearDown);
  } catch (error) {
    await tearDown();
    throw error;
  }
}

async function boot(
  tree: string,
  network: string,
  cleanUps: (() => Promise<unknown>)[],
  tearDown: () => Promise<void>,
): Promise<BootedMachine> {
  const container = Bun.spawn(
    [
      "systemd-nspawn",
      "--quiet",
      `--directory=${tree}`,
      `--network-namespace-path=/run/netns/${network}`,
      "--capability=CAP_NET_ADMIN,CAP_NET_RAW",
      "--register=no",
      "--keep-unit",
      "--console=pipe",
      "--boot",
      "systemd.unit=basic.target",
    ],
    { stdin: "ignore", stdout: "pipe", stderr: "pipe" },
  );
  const said = Promise.all([new Response(container.stdout).text(), new Response(container.stderr).text()]);
  let leader = "";
  cleanUps.push(async () => {
    if (leader !== "") await collect(["nsenter", "--target", leader, "--all", "--root", "systemctl", "poweroff"]);
    const ended = await Promise.race([container.exited.then(() => true), Bun.sleep(STOP_MS).then(() => false)]);
    // Its init dies with it.
    if (!ended) container.kill("SIGKILL");
    await container.exited;
  });
  leader = await eventually(async () => {
    if (container.exitCode !== null) return "ended";
    const children = await readFile(`/proc/${container.pid}/task/${container.pid}/children`, "utf8");
    return /^\d+/.exec(children)?.[0] ?? null;
  }, BOOT_MS);
  if (leader === "ended") {
    leader = "";
    throw new Error(`systemd-nspawn ended with ${container.exitCode}: ${(await said).join("")}`);
  }
  const run = (...argv: string[]) => collect(["nsenter", "--target", leader, "--all", "--root", "--wd=/", ...argv]);
  try {
    await eventually(async () => (await run("systemctl", "is-active", "basic.target")).code === 0, BOOT_MS);
  } catch (error) {
    throw new Error(`systemd did not boot; it waits for: ${(await run("systemctl", "list-jobs")).output}`, {
      cause: error,
    });
  }

  const outside = (path: string): string => join(tree, path);
  return {
    run,
    runBeside: (argv, env = {}) => collect(["ip", "netns", "exec", network, ...argv], env),
    startBeside: (argv, cwd) => {
      const child = Bun.spawn(["ip", "netns", "exec", network, ...argv], {
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
    [Symbol.asyncDispose]: tearDown,
  };
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
