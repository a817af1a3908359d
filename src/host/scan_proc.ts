import { open, readdir, readFile, readlink, stat } from "node:fs/promises";
import { StringDecoder } from "node:string_decoder";
import type { Clock } from "../support/clock.ts";

/** Kernel ticks a second in /proc: USER_HZ, which is 100 on every architecture that Bun runs on (proc(5)). */
const TICKS_PER_SECOND = 100;

/** One row of the process table, as in proc(5). */
export interface ProcStat {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly processGroup: number;
  /** Ticks since boot: with the pid it identifies a process for good, because pids are reused. */
  readonly startTicks: number;
}

export async function allPids(): Promise<number[]> {
  const names = await readdir("/proc");
  return names.filter((name) => /^\d+$/.test(name)).map(Number);
}

/** The value that is read, or null: a process may end or become unreadable between any two reads. */
async function ifStillThere<T>(read: Promise<T>): Promise<T | null> {
  try {
    return await read;
  } catch {
    return null;
  }
}

/** Null for a process that is gone, and for a zombie, of which only the row is left. */
export async function liveStat(pid: number): Promise<ProcStat | null> {
  const text = await ifStillThere(readFile(`/proc/${pid}/stat`, "utf8"));
  if (text === null) return null;
  // The second field is the program's name in brackets, which may itself contain brackets and spaces.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const state = fields[0] ?? "X";
  if (state === "Z" || state === "X") return null;
  return { pid, state, parent: Number(fields[1]), processGroup: Number(fields[2]), startTicks: Number(fields[19]) };
}

/** The owner of a process. */
export interface ProcessOwner {
  readonly pid: number;
  readonly parent: number;
  /** The effective uid. */
  readonly uid: number;
}

/** Read from `status`, because /proc/<pid> belongs to root if the process may not be dumped. Null if it is gone. */
export async function ownerOf(pid: number): Promise<ProcessOwner | null> {
  const text = (await ifStillThere(readFile(`/proc/${pid}/status`, "utf8"))) ?? "";
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(text)?.[1];
  const parent = /^PPid:\s+(\d+)/m.exec(text)?.[1];
  return uid === undefined || parent === undefined ? null : { pid, parent: Number(parent), uid: Number(uid) };
}

/** The owners of all processes. */
export async function allOwners(): Promise<ProcessOwner[]> {
  return (await Promise.all((await allPids()).map(ownerOf))).filter((owner) => owner !== null);
}

/** How many bytes of arguments are inspected: a process may have megabytes of them that add nothing. */
const ARGUMENT_BYTES = 4096;
/** The same limit for an environment, in which a variable may stand anywhere. */
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

/** Whether an argument names a regular file relative to the process's working directory, as in `node server.js`. */
export async function runsFileIn(pid: number, argv: readonly string[]): Promise<boolean> {
  const words = argv.slice(1).filter((word) => /^[^-/]/.test(word));
  for (const word of words.slice(0, 4)) {
    const found = await ifStillThere(stat(`/proc/${pid}/cwd/${word}`));
    if (found?.isFile() === true) return true;
  }
  return false;
}

/** The target of `exe` or `cwd`; null if it may not be read. The kernel's suffix for a deleted file is removed. */
export async function linkOf(pid: number, name: "exe" | "cwd"): Promise<string | null> {
  const target = await ifStillThere(readlink(`/proc/${pid}/${name}`));
  return target?.replace(/ \(deleted\)$/, "") ?? null;
}

/** Value of a variable in the environment that a process was started with; null if it is not set or not readable. */
export async function variableOf(pid: number, name: string): Promise<string | null> {
  return (await environmentOf(pid))(name);
}

/** Returns a function that looks up variables in the environment that a process was started with, as `variableOf` does. */
export async function environmentOf(pid: number): Promise<(name: string) => string | null> {
  const text = await ifStillThere(beginningOf(`/proc/${pid}/environ`, ENVIRONMENT_BYTES));
  const entries = (text ?? "").split("\0");
  return (name) => entries.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ?? null;
}

/**
 * When the machine was booted, in milliseconds since the epoch. `uptime` gives it to 10 ms; `btime` is truncated to a
 * second, which would make a process look older than a link that was flipped before it. In some containers `uptime`
 * counts from the container's start while ticks do not: then only `btime` is usable.
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

/** The descendants of `root`, nearest first. A process whose parent has ended belongs to init and is not among them. */
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
