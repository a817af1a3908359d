import { constants } from "node:fs";
import { chmod, lchown, mkdir, open, readdir, readlink, rename, rm, statfs, symlink } from "node:fs/promises";
import type { Disk, NewFile, OldFile } from "../machine/disk.ts";
import { syncTree } from "./sync_tree.ts";
import { errorCodeOf } from "../support/file_error.ts";
import { exchange } from "./exchange.ts";
import { readPlain } from "./read_text.ts";
import { giveTree } from "./give_tree.ts";
import { look } from "./held_directory.ts";
import { trimLog } from "./processes_output.ts";
import { openDirectory } from "./open_directory.ts";
import { removeTree } from "./remove_tree.ts";

/** The file systems of this host. */
export const hostDisk: Disk = {
  readText: readPlain,
  createFile,
  openInPlace,
  syncDirectory,
  syncTree,
  rename,
  exchange: async (path, other) => exchange(path, other),
  removeFile: (path) => rm(path, { force: true }),
  removeTree,
  makeDirectory: async (path, mode) => {
    await mkdir(path, { recursive: true, ...(mode === undefined ? {} : { mode }) });
  },
  openDirectory,
  look,
  list: (path) => orNull(readdir(path)),
  readLink: (path) => readlink(path),
  makeLink: (path, target) => symlink(target, path),
  giveTo: (path, { uid, gid }) => lchown(path, uid, gid),
  giveTree,
  setMode: (path, mode) => chmod(path, mode),
  freeBytes: async (path) => {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  },
  trimLog,
};

async function createFile(path: string, mode: number): Promise<NewFile> {
  const file = await open(path, "wx", mode);
  try {
    // Needed because the umask has removed bits.
    await file.chmod(mode);
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    write: (data) => file.writeFile(data),
    sync: () => file.sync(),
    [Symbol.asyncDispose]: () => file.close(),
  };
}

/** O_NONBLOCK: a pipe without a reader must not block the agent. */
const IN_PLACE = constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

async function openInPlace(path: string): Promise<OldFile | null> {
  const file = await open(path, IN_PLACE).catch((error: unknown) => {
    const code = errorCodeOf(error);
    if (code === "ENOENT" || code === "ELOOP" || code === "EISDIR" || code === "ENXIO") return null;
    throw error;
  });
  if (file === null) return null;
  const stat = await file.stat();
  if (!stat.isFile() || stat.nlink !== 1) {
    await file.close();
    return null;
  }
  let at = 0;
  return {
    size: stat.size,
    write: async (data) => {
      const bytes = typeof data === "string" ? Buffer.from(data) : data;
      for (let from = 0; from < bytes.length;) {
        const { bytesWritten } = await file.write(bytes, from, bytes.length - from, at);
        from += bytesWritten;
        at += bytesWritten;
      }
    },
    sync: () => file.sync(),
    [Symbol.asyncDispose]: () => file.close(),
  };
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}

async function orNull<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (errorCodeOf(error) === "ENOENT") return null;
    throw error;
  }
}
