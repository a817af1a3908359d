import { open, readdir, readFile, readlink, stat } from "node:fs/promises";
import { StringDecoder } from "node:string_decoder";
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

/** Whose a process is. */
export interface ProcessOwner {
  readonly pid: number;
  readonly parent: number;
  /** Effective. */
  readonly uid: number;
}

/** From `status`, since the owner of /proc/<pid> is root for a process that may not be dumped. Null when it is gone. */
export async function ownerOf(pid: number): Promise<ProcessOwner | null> {
  const text = (await ifStillThere(readFile(`/proc/${pid}/status`, "utf8"))) ?? "";
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(text)?.[1];
  const parent = /^PPid:\s+(\d+)/m.exec(text)?.[1];
  return uid === undefined || parent === undefined ? null : { pid, parent: Number(parent), uid: Number(uid) };
}

/** Of every process there is. */
export async function allOwners(): Promise<ProcessOwner[]> {
  return (await Promise.all((await allPids()).map(ownerOf))).filter((owner) => owner !== null);
}

/** Bytes of arguments that are looked at: a process may have megabytes of them, and say nothing new in them. */
const ARGUMENT_BYTES = 4096;
/** The same of an environment, where a variable may stand anywhere. */
const ENVIRONMENT_BYTES = 128 * 1024;

export async function argvOf(pid: number, bytes = ARGUMENT_BYTES): Promise<string[]> {
  const text = await ifStillThere(beginningOf(`/proc/${pid}/cmdline`, bytes));
  return (text ?? "").split("\0").filter((word) => word !== "");
}

async function beginningOf(path: string, bytes: number): Promise<string> {
  await using file = await open(path, "r");
  const buffer = Buffer.allocUnsafe(bytes);
  let length = 0;
  while (length < bytes) {
    const { bytesRead } = await file.read(buffer, length, bytes - length, null);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return new StringDecoder("utf8").write(buffer.subarray(0, length));
}

/** Whether an argument names a plain file from where the process stands, as in `node server.js`. */
export async function runsFileIn(pid: number, argv: readonly string[]): Promise<boolean> {
  const words = argv.slice(1).filter((word) => /^[^-/]/.test(word));
  for (const word of words.slice(0, 4)) {
    const found = await ifStillThere(stat(`/proc/${pid}/cwd/${word}`));
    if (found?.isFile() === true) return true;
  }
  return false;
}

/** What the kernel says `exe` or `cwd` is; null when it may not be read. The mark of a removed file is taken off. */
export async function linkOf(pid: number, name: "exe" | "cwd"): Promise<string | null> {
  const target = await ifStillThere(readlink(`/proc/${pid}/${name}`));
  return target?.replace(/ \(deleted\)$/, "") ?? null;
}

/** Value of a variable in the environment a process was started with; null when not set or not readable. */
export async function variableOf(pid: number, name: string): Promise<string | null> {
  return (await environmentOf(pid))(name);
}

/** Gives the value of each variable in the environment a process was started with, as `variableOf` does. */
export async function environmentOf(pid: number): Promise<(name: string) => string | null> {
  const text = await ifStillThere(beginningOf(`/proc/${pid}/environ`, ENVIRONMENT_BYTES));
  const entries = (text ?? "").split("\0");
  return (name) => entries.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ?? null;
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

/** The processes below `root`, nearest first; those whose parent has ended are init's and not among them. */
export async function descendantsOf(root: number): Promise<{ pid: number; parent: number; startTicks: number }[]> {
  const all = (await Promise.all((await allPids()).map(liveStat))).filter((stat) => stat !== null);
  const found: { pid: number; parent: number; startTicks: number }[] = [];
  for (let parents = new Set([root]); parents.size > 0;) {
    const children = all.filter(({ parent }) => parents.has(parent));
    found.push(...children.map(({ pid, parent, startTicks }) => ({ pid, parent, startTicks })));
    parents = new Set(children.map(({ pid }) => pid));
  }
  return found;
}
