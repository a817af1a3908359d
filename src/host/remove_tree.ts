import { chmod, readdir, rename, rmdir, unlink, type FileHandle } from "node:fs/promises";
import { errorCodeOf } from "../support/file_error.ts";
import { nameIn, openNoFollow } from "./held_directory.ts";

/** The most directories held open at once; what lies deeper is moved up first. */
const MOST_HELD = 64;
/** How many entries are removed concurrently. */
const AT_ONCE = 32;
/** How often to empty a directory in which somebody keeps creating entries. */
const MOST_ROUNDS = 20;

/**
 * Removes a file or a tree; symbolic links in it are removed, never followed. It is no error if nothing is there.
 *
 * The tree may belong to somebody who replaces its directories by links meanwhile. So each directory is held open while
 * it is emptied, and its entries are accessed through it: no name is resolved twice.
 *
 * @throws the system's error; ENOTEMPTY if somebody creates entries faster than they are removed
 */
export async function removeTree(path: string): Promise<void> {
  if (await removeFile(path)) return;
  await using top = await openMine(path);
  await new Removal(top).empty(top, 0);
  await removeDirectory(path);
}

class Removal {
  readonly #top: FileHandle;
  #moved = 0;

  constructor(top: FileHandle) {
    this.#top = top;
  }

  async empty(directory: FileHandle, depth: number): Promise<void> {
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      const names = await readdir(nameIn(directory, ""));
      if (names.length === 0) return;
      const before = this.#moved;
      for (let at = 0; at < names.length; at += AT_ONCE)
        await this.#remove(directory, names.slice(at, at + AT_ONCE), depth);
      // Entries that were moved up come from a deep tree, and not from somebody who keeps creating them.
      if (this.#moved > before) round = 0;
    }
  }

  async #remove(directory: FileHandle, names: readonly string[], depth: number): Promise<void> {
    const removed = await Promise.all(names.map((name) => removeFileIn(directory, name)));
    for (const [at, name] of names.entries())
      if (removed[at] === false) await this.#removeBelow(directory, name, depth);
  }

  async #moveUp(path: string): Promise<void> {
    for (;;) {
      this.#moved += 1;
      try {
        return await rename(path, nameIn(this.#top, `.deeper-${this.#moved}`));
      } catch (error) {
        // A removal that was killed has left an entry of this name.
        if (!isOneOf(error, "ENOTEMPTY", "EEXIST")) throw error;
      }
    }
  }

  async #removeBelow(directory: FileHandle, name: string, depth: number): Promise<void> {
    const path = nameIn(directory, name);
    if (depth + 1 >= MOST_HELD) {
      return this.#moveUp(path);
    }
    let below: FileHandle;
    try {
      below = await openMine(path);
    } catch (error) {
      // Somebody has put something else there since: the next round removes it.
      if (isOneOf(error, "ENOENT", "ENOTDIR", "ELOOP")) return;
      throw error;
    }
    await using held = below;
    await this.empty(held, depth + 1);
    await removeDirectory(path);
  }
}

/** @returns false if it is a directory */
async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (isOneOf(error, "ENOENT")) return true;
    if (isOneOf(error, "EISDIR")) return false;
    throw error;
  }
}

async function removeFileIn(directory: FileHandle, name: string): Promise<boolean> {
  try {
    return await removeFile(nameIn(directory, name));
  } catch (error) {
    if (!isOneOf(error, "EACCES")) throw error;
    // Builds may contain directories without write permission, which stops everybody except root.
    await directory.chmod(0o700);
    return removeFile(nameIn(directory, name));
  }
}

async function removeDirectory(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (error) {
    // By now it is a link or gone; a link is removed in the next round.
    if (!isOneOf(error, "ENOENT", "ENOTDIR")) throw error;
  }
}

async function openMine(path: string): Promise<FileHandle> {
  try {
    return await openNoFollow(path);
  } catch (error) {
    // Only a user other than root is refused, and that user has no more rights than the owner of what a link might lead
    // to.
    if (!isOneOf(error, "EACCES") || process.geteuid?.() === 0) throw error;
    await chmod(path, 0o700);
    return openNoFollow(path);
  }
}

function isOneOf(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes(errorCodeOf(error) ?? "");
}
