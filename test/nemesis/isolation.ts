import { mkdir, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/*
 * The program runs in a network, a process table and mounts of its own: whatever ends it, its namespaces, agents, services
 * and servers end with it, since the kernel kills them all with the first process of such a table.
 */

const INSIDE = "DEPLOYD_NEMESIS_INSIDE";
const PREFIX = "deployd-nemesis-";

export function isInside(): boolean {
  return process.env[INSIDE] !== undefined;
}

/**
 * Runs this program once more, inside, and resolves with its exit code.
 *
 * @param script the program, as an absolute path
 */
export async function runInside(script: string, args: readonly string[]): Promise<number> {
  await sweep();
  const directory = join(tmpdir(), `${PREFIX}${process.pid}`);
  await mkdir(directory, { recursive: true, mode: 0o755 });
  // The shell is the first process, and buries those whose parent has gone before them.
  const line = 'mount -t tmpfs tmpfs /run && mkdir /run/netns && ip link set lo up && "$@"; exit $?';
  const unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const child = Bun.spawn(
    ["setpriv", "--pdeathsig", "KILL", "--", ...unshare, "sh", "-c", line, "sh", process.execPath, script, ...args],
    { env: { ...process.env, [INSIDE]: "1", TMPDIR: directory }, stdio: ["ignore", "inherit", "inherit"] },
  );
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill("SIGKILL"));
  const code = await child.exited;
  await rm(directory, { recursive: true, force: true });
  return child.signalCode === null ? code : 1;
}

/** Removes what runs have left on the disk that were killed. */
async function sweep(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length)) : Number.NaN;
    if (Number.isInteger(pid) && !isAlive(pid)) await rm(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
