import { readdir, readFile, readlink } from "node:fs/promises";
import { errorCodeOf } from "../support/file_error.ts";
import { allPids, liveStat } from "./scan_proc.ts";

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

/** Sockets that accept connections, as proc(5) has them: TCP_LISTEN, and __SO_ACCEPTCON for those in the file system. */
const LISTENING = [
  { table: "tcp", field: 3, value: "0A", inode: 9 },
  { table: "tcp6", field: 3, value: "0A", inode: 9 },
  { table: "unix", field: 3, value: "00010000", inode: 6 },
] as const;

/** Whether the process has a listening socket; false when it is gone, null when its descriptors may not be read. */
export async function listens(pid: number): Promise<boolean | null> {
  try {
    const names = await readdir(`/proc/${pid}/fd`);
    // A descriptor may be closed between listing and reading.
    const links = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => "")));
    const own = new Set(links.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]));
    for (const { table, field, value, inode } of LISTENING) {
      const rows = (await readFile(`/proc/${pid}/net/${table}`, "utf8").catch(() => "")).split("\n");
      const fields = rows.map((row) => row.trim().split(/\s+/));
      if (fields.some((row) => row[field] === value && own.has(row[inode]))) return true;
    }
    return false;
  } catch (error) {
    return errorCodeOf(error) === "EACCES" || errorCodeOf(error) === "EPERM" ? null : false;
  }
}
