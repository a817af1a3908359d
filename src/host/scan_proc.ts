import { closeSync, openSync, read, readdirSync, readlinkSync, readSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { StringDecoder } from "node:string_decoder";
import { promisify } from "node:util";
import type { Clock } from "../support/clock.ts";
import { Pace } from "../support/pace.ts";

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

const readOf = promisify(read);

/** Of `stat` and `status`, what is used stands in the first bytes. */
const row = Buffer.allocUnsafeSlow(1024);

/**
 * The beginning of a file of /proc that the kernel makes without waiting for the process; null if that is gone. Read at
 * once, since there is one for every process of the host, and another thread would cost more than the reading. What lies
 * in a process's own memory, `cmdline` and `environ`, is not read so: the kernel may have to wait for that.
 */
function rowOf(path: string): string | null {
  let file: number | null = null;
  try {
    file = openSync(path, "r");
    return row.toString("latin1", 0, readSync(file, row, 0, row.length, null));
  } catch {
    return null;
  } finally {
    if (file !== null) closeSync(file);
  }
}

export function allPids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
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
export function liveStat(pid: number): ProcStat | null {
  const stat = statOf(pid);
  return stat === null || stat.state === "Z" || stat.state === "X" ? null : stat;
}

/** When a process was started, as in `ProcStat`, also of a zombie; 0 if it is gone. */
export function startTicksOf(pid: number): number {
  return statOf(pid)?.startTicks ?? 0;
}

function statOf(pid: number): ProcStat | null {
  const text = rowOf(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The second field is the program's name in brackets, which may itself contain brackets and spaces.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state = "X", parent, processGroup] = fields;
  return { pid, state, parent: Number(parent), processGroup: Number(processGroup), startTicks: Number(fields[19]) };
}

/** The owner of a process. */
export interface ProcessOwner {
  readonly pid: number;
  readonly parent: number;
  /** The effective uid. */
  readonly uid: number;
  /** Whether it runs a program: no thread of the kernel's own does, nor what has ended and is not yet forgotten. */
  readonly hasProgram: boolean;
}

/** Read from `status`, because /proc/<pid> belongs to root if the process may not be dumped. Null if it is gone. */
export function ownerOf(pid: number): ProcessOwner | null {
  const text = rowOf(`/proc/${pid}/status`) ?? "";
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(text)?.[1];
  const parent = /^PPid:\s+(\d+)/m.exec(text)?.[1];
  if (uid === undefined || parent === undefined) return null;
  // What has no memory of its own has no line about it, before the one about its threads (proc_pid_status(5)).
  const hasProgram = text.includes("\nVmSize:") || !text.includes("\nThreads:");
  return { pid, parent: Number(parent), uid: Number(uid), hasProgram };
}

/** The owners of all processes. */
export async function allOwners(clock: Clock): Promise<ProcessOwner[]> {
  return ofAll(ownerOf, clock);
}

/** The rows of all processes but zombies. */
export async function allStats(clock: Clock): Promise<ProcStat[]> {
  return ofAll(liveStat, clock);
}

/** A host may have ten thousand processes, and the event loop needs its turns. */
async function ofAll<T>(factOf: (pid: number) => T | null, clock: Clock): Promise<T[]> {
  const pace = new Pace("look at the processes", undefined, clock);
  const found: T[] = [];
  for (const pid of allPids()) {
    const fact = factOf(pid);
    if (fact !== null) found.push(fact);
    if (pace.isDue) await pace.breathe();
  }
  return found;
}

/** How many bytes of arguments are inspected: a process may have megabytes of them that add nothing. */
const ARGUMENT_BYTES = 4096;
/** The same limit for an environment, in which a variable may stand anywhere. */
const ENVIRONMENT_BYTES = 128 * 1024;
/** What is read at first: few processes have more. */
const USUAL_BYTES = 4096;

export async function argvOf(pid: number, bytes = ARGUMENT_BYTES): Promise<string[]> {
  const text = await ifStillThere(beginningOf(`/proc/${pid}/cmdline`, bytes));
  return (text ?? "").split("\0").filter((word) => word !== "");
}

async function beginningOf(path: string, bytes: number): Promise<string> {
  // Opening and closing wait for nobody; reading may, and so leaves the thread, once for nearly every process.
  const file = openSync(path, "r");
  try {
    let buffer = Buffer.allocUnsafe(Math.min(bytes, USUAL_BYTES));
    let length = 0;
    for (;;) {
      const { bytesRead } = await readOf(file, buffer, length, buffer.length - length, null);
      length += bytesRead;
      // The kernel gives all that fits, so less means that there is no more.
      if (length < buffer.length || length === bytes) break;
      buffer = Buffer.concat([buffer], Math.min(bytes, 4 * length));
    }
    return new StringDecoder("utf8").write(buffer.subarray(0, length));
  } finally {
    closeSync(file);
  }
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
export function linkOf(pid: number, name: "exe" | "cwd"): string | null {
  try {
    return readlinkSync(`/proc/${pid}/${name}`).replace(/ \(deleted\)$/, "");
  } catch {
    return null;
  }
}

/** The value of a variable of a process; null if it is not set or not readable. */
export type Environment = (name: string) => string | null;

/** The environment that a process was started with. */
export async function environmentOf(pid: number): Promise<Environment> {
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
export async function descendantsOf(
  root: number,
  clock: Clock,
): Promise<{ pid: number; parent: number; startTicks: number }[]> {
  const all = await allStats(clock);
  const found: { pid: number; parent: number; startTicks: number }[] = [];
  for (let parents = new Set([root]); parents.size > 0;) {
    const children = all.filter(({ parent }) => parents.has(parent));
    found.push(...children.map(({ pid, parent, startTicks }) => ({ pid, parent, startTicks })));
    parents = new Set(children.map(({ pid }) => pid));
  }
  return found;
}
