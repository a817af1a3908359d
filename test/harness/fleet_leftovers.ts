import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/**
 * Processes that have to do with a directory: it stands in their arguments, their environment or is where they are. Test
 * directories have names that occur nowhere else, so these are the processes of one test, however they were started.
 */
export function processesOf(directory: string): number[] {
  return readdirSync("/proc").flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    return traces(pid).some((trace) => trace.includes(directory)) ? [pid] : [];
  });
}

function traces(pid: number): string[] {
  const readers = [
    () => readFileSync(`/proc/${pid}/cmdline`, "utf8"),
    () => readFileSync(`/proc/${pid}/environ`, "utf8"),
    () => readlinkSync(`/proc/${pid}/cwd`),
  ];
  return readers.flatMap((read) => {
    try {
      return [read()];
    } catch {
      // Gone, or somebody else's.
      return [];
    }
  });
}

/** KILLs them all, also those that are started meanwhile. */
export async function killProcessesOf(directory: string): Promise<void> {
  for (let round = 0; round < 200; round++) {
    const pids = processesOf(directory).filter((pid) => !isZombie(pid));
    if (pids.length === 0) return;
    for (const pid of pids) killQuietly(pid);
    await Bun.sleep(10);
  }
  throw new Error(`Processes of ${directory} cannot be ended: ${processesOf(directory).join(", ")}`);
}

export function killQuietly(pid: number, signal: NodeJS.Signals = "SIGKILL"): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}

function isZombie(pid: number): boolean {
  try {
    return /^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true;
  }
}
