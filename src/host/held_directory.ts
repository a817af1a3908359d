import { constants } from "node:fs";
import { lstat, open, type FileHandle } from "node:fs/promises";
import type { DiskEntry } from "../machine/disk.ts";
import { errorCodeOf } from "../support/file_error.ts";

/** O_NONBLOCK: whatever somebody has put there instead must not block the agent. */
export const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NONBLOCK;

/**
 * Opens the directory itself: a link in its place is an error.
 *
 * @throws the system's ENOTDIR or ELOOP for a link or anything else that is not a directory
 */
export function openNoFollow(path: string): Promise<FileHandle> {
  return open(path, DIRECTORY | constants.O_NOFOLLOW);
}

/** A name in a directory that is held open: the kernel resolves it from there, as openat(2) does (proc_pid_fd(5)). */
export function nameIn({ fd }: FileHandle, name: string): string {
  return `/proc/self/fd/${fd}/${name}`;
}

/** The entry at a path, null if there is none; a link is not followed. */
export async function look(path: string): Promise<DiskEntry | null> {
  try {
    const stat = await lstat(path);
    return {
      kind: stat.isDirectory() ? "directory" : stat.isSymbolicLink() ? "link" : stat.isFile() ? "file" : "other",
      size: stat.size,
      // mtime instead of ctime: a recursive chown changes ctime, and would make every service look older than its link.
      changedAtMs: stat.mtimeMs,
      touchedAtMs: stat.ctimeMs,
      uid: stat.uid,
      gid: stat.gid,
      mode: stat.mode & 0o7777,
    };
  } catch (error) {
    if (errorCodeOf(error) === "ENOENT") return null;
    throw error;
  }
}
