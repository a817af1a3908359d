import type { Owner } from "../support/command.ts";

/** The result of giving a tree away. */
export interface GivenTree {
  readonly given: number;
  /** How many entries still belong to the former owner, and the paths of some of them. */
  readonly kept: number;
  readonly named: readonly string[];
}

/** What is at a path; a link is not followed. */
export interface DiskEntry {
  readonly kind: "directory" | "link" | "file" | "other";
  /** Size of a file in bytes. */
  readonly size: number;
  /** When its content was last changed, in milliseconds since the epoch; for a link, when it was made. */
  readonly changedAtMs: number;
  /** When anything about it was last changed, including its name, in milliseconds since the epoch. */
  readonly touchedAtMs: number;
  readonly uid: number;
  readonly gid: number;
  /** Permissions, as in chmod(1). */
  readonly mode: number;
}

/** A file that is being written for the first time. */
export interface NewFile extends AsyncDisposable {
  write(data: string | Uint8Array): Promise<void>;
  /** Flushes what was written (fsync(2)); until then it may be lost in a power cut. */
  sync(): Promise<void>;
}

/**
 * A file that is overwritten in place, from its first byte on: a text that is not longer than the file needs no new disk
 * space.
 */
export interface OldFile extends NewFile {
  /** Its bytes. */
  readonly size: number;
}

/**
 * A directory that is held open: operations on it affect this directory, wherever its path leads by now. It is for places
 * where somebody else may write, who could replace any name by a link between two calls (openat(2)).
 */
export interface HeldDirectory extends AsyncDisposable {
  /** Opens a directory in it; fails with ENOENT, or with ENOTDIR or ELOOP for anything else, such as a link. */
  open(name: string): Promise<HeldDirectory>;
  /** Null where there is nothing; a link is not followed. */
  look(name: string): Promise<DiskEntry | null>;
  /** Makes a directory in it; does nothing where something is there already. */
  makeDirectory(name: string): Promise<void>;
  /**
   * Moves what is at a path into this directory: a reader sees all of it or nothing, even when it comes from another file
   * system.
   */
  take(from: string, name: string): Promise<void>;
  /** Flushes its new and renamed entries. */
  sync(): Promise<void>;
}

/**
 * The file system, call by call. Any call may be the last before a kill or a power cut, and after a power cut, what was
 * not flushed may be gone. A call that fails throws the system's error, with its `code`.
 */
export interface Disk {
  /**
   * The text of a regular file of at most 16 MiB and the time of its last change, or null where there is none. With
   * `follow: false` a link in its place is an error.
   */
  readText(path: string, options: { follow: boolean }): Promise<{ text: string; changedAtMs: number } | null>;
  /** Makes a file that is not there yet (EEXIST), with exactly these permissions. */
  createFile(path: string, mode: number): Promise<NewFile>;
  /** Null for anything but a regular file with this name only: others may read it by another name. */
  openInPlace(path: string): Promise<OldFile | null>;
  /** Flushes the new, removed and renamed entries of this directory (fsync(2), Notes). */
  syncDirectory(path: string): Promise<void>;
  /** Flushes everything below it, however many files that are (syncfs(2)). */
  syncTree(path: string): Promise<void>;
  /** Renames, replacing what is at `to` in one step. */
  rename(from: string, to: string): Promise<void>;
  /**
   * Exchanges what is at two paths, in one step (renameat2(2), RENAME_EXCHANGE).
   *
   * @throws the system's EINVAL or ENOSYS where the file system or the kernel does not support that
   */
  exchange(path: string, other: string): Promise<void>;
  /** Removes one entry that is not a directory; it is no error when nothing is there. */
  removeFile(path: string): Promise<void>;
  /**
   * Removes a file or a tree; links in it are removed and never followed, even while somebody replaces its directories by
   * links. It is no error when nothing is there.
   */
  removeTree(path: string): Promise<void>;
  /** Makes the directory and its parents; does nothing where it exists. */
  makeDirectory(path: string, mode?: number): Promise<void>;
  /** Links on the way are followed: others may only write below this directory. */
  openDirectory(path: string): Promise<HeldDirectory>;
  /** Null where there is nothing. */
  look(path: string): Promise<DiskEntry | null>;
  /** Names in a directory, in no particular order; null where there is no directory. */
  list(path: string): Promise<readonly string[] | null>;
  readLink(path: string): Promise<string>;
  makeLink(path: string, target: string): Promise<void>;
  /** Gives away the entry itself: not what a link points at, and nothing below it. */
  giveTo(path: string, owner: Owner): Promise<void>;
  /**
   * Gives those entries of a tree that belong to `from` to `to`, even while `from` replaces names in it: nothing outside,
   * nothing with further hard links, and never what links lead to. It is no error when there is no such directory.
   */
  giveTree(path: string, from: Owner, to: Owner): Promise<GivenTree>;
  setMode(path: string, mode: number): Promise<void>;
  /** Bytes that an ordinary user could still write on the file system of `path`. */
  freeBytes(path: string): Promise<number>;
  /** Cuts a log that somebody appends to back to its newest half when it has grown past the limit. */
  trimLog(path: string, maxBytes: number): Promise<void>;
}
