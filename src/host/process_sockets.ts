import { readdir, readFile, readlink } from "node:fs/promises";
import { errorCodeOf } from "../support/file_error.ts";

/** Inodes of the sockets that these processes have open, as /proc/net/tcp names them. */
export async function socketInodesOf(pids: readonly number[]): Promise<Set<string>> {
  // A process may have ended since it was listed.
  const inodes = await Promise.all(pids.map((pid) => inodesOf(pid).catch(() => [])));
  return new Set(inodes.flat());
}

async function inodesOf(pid: number): Promise<string[]> {
  const names = await readdir(`/proc/${pid}/fd`);
  // A descriptor may be closed between listing and reading.
  const links = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => "")));
  return links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
}

/** Listening sockets in proc(5): TCP_LISTEN, and __SO_ACCEPTCON for UNIX sockets. */
const LISTENING = [
  { table: "tcp", field: 3, value: "0A", inode: 9 },
  { table: "tcp6", field: 3, value: "0A", inode: 9 },
  { table: "unix", field: 3, value: "00010000", inode: 6 },
] as const;

/** Whether the process has a listening socket; false if it is gone, null if its descriptors may not be read. */
export async function listens(pid: number): Promise<boolean | null> {
  try {
    const own = new Set(await inodesOf(pid));
    for (const { table, field, value, inode } of LISTENING) {
      const rows = (await readFile(`/proc/${pid}/net/${table}`, "utf8").catch(() => "")).split("\n");
      const fields = rows.map((row) => row.trim().split(/\s+/));
      if (fields.some((row) => row[field] === value && own.has(row[inode] ?? ""))) return true;
    }
    return false;
  } catch (error) {
    return errorCodeOf(error) === "EACCES" || errorCodeOf(error) === "EPERM" ? null : false;
  }
}
