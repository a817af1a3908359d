import { readdir, readFile, readlink } from "node:fs/promises";
import type { Clock } from "../support/clock.ts";

/** Kernel ticks a second in /proc: USER_HZ, which is 100 on every architecture that Bun runs on (proc(5)). */
const TICKS_PER_SECOND = 100;

/** One row of the process table, as proc(5) has it. */
export interface ProcStat {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly processGroup: number;
  /** Ticks since boot: together with the pid it names a process for good, since pids are used again. */
  readonly startTicks: number;
}

export async function allPids(): Promise<number[]> {
  const names = await readdir("/proc");
  return names.filter((name) => /^\d+$/.test(name)).map(Number);
}

/** What `read` yields, or null: a process may vanish or close its doors between any two reads. */
async function ifStillThere<T>(read: Promise<T>): Promise<T | null> {
  try {
    return await read;
  } catch {
    return null;
  }
}

/** Null for a process that is gone, and for a zombie, which is gone but for its row. */
export async function liveStat(pid: number): Promise<ProcStat | null> {
  const text = await ifStillThere(readFile(`/proc/${pid}/stat`, "utf8"));
  if (text === null) return null;
  // The second field is the program's name in brackets, and may itself hold brackets and blanks.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const state = fields[0] ?? "X";
  if (state === "Z" || state === "X") return null;
  return { pid, state, parent: Number(fields[1]), processGroup: Number(fields[2]), startTicks: Number(fields[19]) };
}

/** Effective uid, or null. From `status`, since the owner of /proc/<pid> is root for a process that may not be dumped. */
export async function uidOf(pid: number): Promise<number | null> {
  const text = await ifStillThere(readFile(`/proc/${pid}/status`, "utf8"));
  const match = /^Uid:\s+\d+\s+(\d+)/m.exec(text ?? "");
  return match?.[1] === undefined ? null : Number(match[1]);
}

export async function argvOf(pid: number): Promise<string[]> {
  const text = await ifStillThere(readFile(`/proc/${pid}/cmdline`, "utf8"));
  return (text ?? "").split("\0").filter((word) => word !== "");
}

/** What the kernel says `exe` or `cwd` is; null when it may not be read. The mark of a removed file is taken off. */
export async function linkOf(pid: number, name: "exe" | "cwd"): Promise<string | null> {
  const target = await ifStillThere(readlink(`/proc/${pid}/${name}`));
  return target?.replace(/ \(deleted\)$/, "") ?? null;
}

/** Value of a variable in the environment a process was started with; null when not set or not readable. */
export async function variableOf(pid: number, name: string): Promise<string | null> {
  const text = await ifStillThere(readFile(`/proc/${pid}/environ`, "latin1"));
  const entry = (text ?? "").split("\0").find((word) => word.startsWith(`${name}=`));
  return entry?.slice(name.length + 1) ?? null;
}

/**
 * When the machine was booted, in milliseconds since the epoch. `uptime` gives it to 10 ms; `btime` is cut to a second,
 * which would make a process look older than a link that was flipped before it. In some containers `uptime` counts
 * from the container's start while ticks do not: then `btime` is all there is.
 */
export async function bootedAtMs(clock: Clock): Promise<number> {
  const [uptime, stat] = await Promise.all([readFile("/proc/uptime", "utf8"), readFile("/proc/stat", "utf8")]);
  const exact = clock.now() - Number.parseFloat(uptime) * 1000;
  const btime = /^btime (\d+)/m.exec(stat)?.[1];
  if (btime === undefined) return exact;
  const coarse = Number(btime) * 1000;
  return Math.abs(exact - coarse) <= 2000 ? exact : coarse + 500;
}

export function startedAtMs(bootMs: number, startTicks: number): number {
  return Math.round(bootMs + (startTicks * 1000) / TICKS_PER_SECOND);
}
