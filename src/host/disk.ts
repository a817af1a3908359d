import { chmod, lchown, mkdir, open, readdir, readlink, rename, rm, statfs, symlink } from "node:fs/promises";
import type { Disk, NewFile } from "../machine/disk.ts";
import { syncTree } from "../fetch/sync_tree.ts";
import { errorCodeOf } from "../support/file_error.ts";
import { readPlain } from "./files.ts";
import { look, openDirectory } from "./held_directory.ts";
import { trimLog } from "./processes_output.ts";
import { removeTree } from "./remove_tree.ts";

/** The file systems of this host. */
export const hostDisk: Disk = {
  readText: readPlain,
  createFile,
  syncDirectory,
  syncTree,
  rename,
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
    // The umask took bits off.
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
