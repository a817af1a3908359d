import { readFileSync, writeFileSync } from "node:fs";

// USER_HZ: Linux gives times in /proc in hundredths of a second on every architecture that Bun runs on.
const tickMs = 10;

const calmWindowMs = 100;
const calmDeadlineMs = 2_000;

/** Processor time that a process has used so far, user and system, in milliseconds; proc(5), /proc/PID/stat. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The second field is the program's name in brackets, in which anything may stand.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

/** Waits until these processes have together used next to no processor time for a while, or for two seconds. */
export async function calm(pids: readonly number[]): Promise<void> {
  const used = (): number => pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
  const endsAt = performance.now() + calmDeadlineMs;
  for (let before = used(); performance.now() < endsAt;) {
    await Bun.sleep(calmWindowMs);
    const now = used();
    if (now - before <= tickMs) return;
    before = now;
  }
}

/** Resident memory now, in kB (1,024 bytes). */
export function residentKb(pid: number): number {
  return statusKb(pid, "VmRSS");
}

/** The most resident memory since `forgetPeak`, in kB. */
export function peakKb(pid: number): number {
  return statusKb(pid, "VmHWM");
}

/** Sets the peak of resident memory back to what is resident now; proc(5), /proc/PID/clear_refs. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

function statusKb(pid: number, field: string): number {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  if (found === null) throw new Error(`/proc/${pid}/status has no ${field}`);
  return Number(found[1]);
}
