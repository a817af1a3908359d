import { readdir, readlink } from "node:fs/promises";
import { processesOf } from "./scan.ts";
import { liveStat } from "./scan_proc.ts";

/**
 * The processes of an instance that nobody knows by pid, because a line of shell has started it: those whose parent is not
 * one of them.
 *
 * @param instance null for a service that has no other
 * @param uid only those of this user; null for any
 */
export async function leadersOf(root: string, instance: string | null, uid: number | null): Promise<number[]> {
  const all = (await processesOf(root)).filter(
    (process) => (instance === null || process.instance === instance) && (uid === null || process.uid === uid),
  );
  const own = new Set(all.map(({ pid }) => pid));
  const stats = await Promise.all(all.map(({ pid }) => liveStat(pid)));
  return stats.flatMap((stat) => (stat === null || own.has(stat.parent) ? [] : [stat.pid]));
}

/** Inodes of the sockets that these processes hold, as /proc/net/tcp names them. */
export async function socketInodesOf(pids: readonly number[]): Promise<Set<string>> {
  const inodes = await Promise.all(
    pids.map(async (pid) => {
      const names = await readdir(`/proc/${pid}/fd`).catch(() => []);
      // A descriptor may be closed between listing and reading, and its process may end.
      const links = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => "")));
      return links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
    }),
  );
  return new Set(inodes.flat());
}
