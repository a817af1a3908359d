import { readdir, readlink } from "node:fs/promises";

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
