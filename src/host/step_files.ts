import { chmod, lchown, lstat, mkdir, readlink, rename, symlink } from "node:fs/promises";
import { dirname } from "node:path";
import type { StepFiles } from "../steps/ports.ts";
import {
  errorCodeOf,
  fileError,
  freeBytes,
  readUnlinked,
  removeTree,
  syncDirectory,
  writeFileAtomic,
} from "./files.ts";
import { flipSymlink } from "./files_link.ts";

/** Runs `work`; a failed call becomes a DeployError that names what was attempted. */
async function naming<T>(attempted: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fileError(attempted, error);
  }
}

/** The steps' file port on the real disk. */
export const stepFiles: StepFiles = {
  // Releases belong to the service's user, who could put a link to somebody else's file there.
  readIfThere: readUnlinked,
  writeFileAtomic,
  removeTree,
  flipSymlink,
  freeBytes,
  makeDirectory: (path, mode) =>
    naming(`Cannot make the directory "${path}"`, async () => {
      await mkdir(path, { recursive: true, ...(mode === undefined ? {} : { mode }) });
    }),
  renameDurably: (from, to) =>
    naming(`Cannot rename "${from}" to "${to}"`, async () => {
      await rename(from, to);
      await syncDirectory(dirname(to));
    }),
  sizeOf: async (path) => {
    const stat = await statOrNull(path);
    return stat === null ? null : stat.size;
  },
  kindOf: async (path) => {
    const stat = await statOrNull(path);
    if (stat === null) return "absent";
    if (stat.isSymbolicLink()) return "link";
    return stat.isDirectory() ? "directory" : "file";
  },
  linkTarget: (path) => naming(`Cannot read the link "${path}"`, () => readlink(path)),
  makeLink: (path, target) => naming(`Cannot link "${path}" to "${target}"`, () => symlink(target, path)),
  giveTo: (path, { uid, gid }) => naming(`Cannot give "${path}" to user ${uid}`, () => lchown(path, uid, gid)),
  makePublic: (path) => naming(`Cannot change the mode of "${path}"`, () => chmod(path, 0o755)),
};

async function statOrNull(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    if (errorCodeOf(error) === "ENOENT") return null;
    throw fileError(`Cannot look at "${path}"`, error);
  }
}
