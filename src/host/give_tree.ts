import { constants } from "node:fs";
import { chown, open, readdir, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { GivenTree } from "../machine/disk.ts";
import type { Owner } from "../support/command.ts";
import { errorCodeOf } from "../support/file_error.ts";
import { nameIn, openNoFollow } from "./held_directory.ts";

/** From <fcntl.h>: opens an entry itself, even a link, without reading or writing it. */
const O_PATH = 0o10000000;
/** The most directories held open at once, each opened from the one above it. */
const MOST_HELD = 64;
/** How many entries of a directory are processed concurrently. */
const AT_ONCE = 32;
/** The most paths named of the entries that are kept. */
const MOST_NAMED = 5;

/**
 * Changes the owner of everything in a tree that belongs to `from` to `to`. The directories in the tree may belong to
 * anybody, and an owner may swap any name for another meanwhile. So each directory is held open, each entry is opened
 * before it is inspected, and exactly the inspected entry is given.
 *
 * An entry with another hard link may be reachable from outside, where it is somebody else's, so it keeps its owner. So
 * does an entry on another file system. A changed owner also removes setuid from a program (chown(2)).
 */
export async function giveTree(path: string, from: Owner, to: Owner): Promise<GivenTree> {
  let top: FileHandle;
  try {
    top = await openNoFollow(path);
  } catch (error) {
    if (errorCodeOf(error) === "ENOENT") return { given: 0, kept: 0, named: [] };
    throw error;
  }
  await using held = top;
  const giving = new Giving(from, to, (await held.stat()).dev);
  await giving.directory(held, path, 1);
  return { given: giving.given, kept: giving.kept, named: giving.named };
}

class Giving {
  given = 0;
  kept = 0;
  readonly named: string[] = [];
  readonly #from: Owner;
  readonly #to: Owner;
  readonly #device: number;

  constructor(from: Owner, to: Owner, device: number) {
    this.#from = from;
    this.#to = to;
    this.#device = device;
  }

  /** The contents come first, so that the top's owner shows whether everything is done. */
  async directory(held: FileHandle, path: string, depth: number): Promise<void> {
    const names = await readdir(nameIn(held, ""));
    for (let at = 0; at < names.length; at += AT_ONCE) {
      const some = names.slice(at, at + AT_ONCE);
      const entered = await Promise.all(some.map((name) => this.#entry(held, name, join(path, name))));
      for (const [index, name] of some.entries()) {
        if (entered[index] === "directory") await this.#below(held, name, join(path, name), depth);
      }
    }
    const stat = await held.stat();
    if (stat.uid === this.#from.uid) await this.#give(stat, (uid, gid) => held.chown(uid, gid));
  }

  async #entry(directory: FileHandle, name: string, path: string): Promise<"directory" | "done"> {
    const opened = await orGone(open(nameIn(directory, name), O_PATH | constants.O_NOFOLLOW));
    if (opened === null) return "done";
    await using entry = opened;
    const stat = await entry.stat();
    if (stat.isDirectory()) return "directory";
    if (stat.uid !== this.#from.uid) return "done";
    if (stat.nlink === 1) await this.#give(stat, (uid, gid) => chown(`/proc/self/fd/${entry.fd}`, uid, gid));
    else this.#keep(path);
    return "done";
  }

  async #below(directory: FileHandle, name: string, path: string, depth: number): Promise<void> {
    if (depth >= MOST_HELD) return this.#keep(path);
    const opened = await orGone(openNoFollow(nameIn(directory, name)));
    if (opened === null) return;
    await using held = opened;
    if ((await held.stat()).dev === this.#device) await this.directory(held, path, depth + 1);
    else this.#keep(path);
  }

  async #give({ gid }: Owner, chown: (uid: number, gid: number) => Promise<void>): Promise<void> {
    await chown(this.#to.uid, gid === this.#from.gid ? this.#to.gid : gid);
    this.given += 1;
  }

  #keep(path: string): void {
    this.kept += 1;
    if (this.named.length < MOST_NAMED) this.named.push(path);
  }
}

/** Null if somebody has removed or replaced the entry since it was seen. */
async function orGone(opening: Promise<FileHandle>): Promise<FileHandle | null> {
  try {
    return await opening;
  } catch (error) {
    const code = errorCodeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP") return null;
    throw error;
  }
}
