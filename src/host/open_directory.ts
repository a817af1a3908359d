import { mkdir, open, rename, type FileHandle } from "node:fs/promises";
import { syncTree } from "./sync_tree.ts";
import type { HeldDirectory } from "../machine/disk.ts";
import { errorCodeOf } from "../support/file_error.ts";
import { copyTree } from "./copy_tree.ts";
import { DIRECTORY, look, nameIn, openNoFollow } from "./held_directory.ts";
import { removeTree } from "./remove_tree.ts";

export async function openDirectory(path: string): Promise<HeldDirectory> {
  return hold(await open(path, DIRECTORY));
}

function hold(directory: FileHandle): HeldDirectory {
  return {
    open: async (name) => hold(await openNoFollow(nameIn(directory, name))),
    look: (name) => look(nameIn(directory, name)),
    makeDirectory: async (name) => {
      try {
        await mkdir(nameIn(directory, name));
      } catch (error) {
        if (errorCodeOf(error) !== "EEXIST") throw error;
      }
    },
    take: async (from, name) => {
      try {
        await rename(from, nameIn(directory, name));
      } catch (error) {
        if (errorCodeOf(error) !== "EXDEV") throw error;
        await takeCopy(from, directory, name);
      }
    },
    sync: () => directory.sync(),
    [Symbol.asyncDispose]: () => directory.close(),
  };
}

/** The directory in which a copy grows until it is complete; what a kill has left of one is removed with the next. */
const INCOMING = ".deployd-incoming";

/**
 * The same from another file system: a copy that gets its name only once it is complete and on the disk. It grows in a
 * directory that nobody else may enter, accessed by its descriptor, whatever is at the directory's name meanwhile.
 */
async function takeCopy(from: string, directory: FileHandle, name: string): Promise<void> {
  const place = nameIn(directory, INCOMING);
  await removeTree(place);
  await mkdir(place, { mode: 0o700 });
  {
    await using incoming = await openNoFollow(place);
    const { uid, mode } = await incoming.stat();
    if (uid !== process.geteuid?.() || (mode & 0o077) !== 0)
      throw new Error(`somebody else has put "${INCOMING}" there`);
    const copy = nameIn(incoming, "copy");
    await copyTree(from, copy);
    // The program that flushes it is another process, with descriptors of its own.
    await syncTree(`/proc/${process.pid}/fd/${incoming.fd}`);
    await rename(copy, nameIn(directory, name));
  }
  await removeTree(place);
  await removeTree(from);
}
