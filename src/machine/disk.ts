import type { Owner } from "../support/command.ts";

/** What came of giving a tree away. */
export interface GivenTree {
  readonly given: number;
  /** How many entries stay the former owner's, and the paths of some of them. */
  readonly kept: number;
  readonly named: readonly string[];
}

/** What stands at a path; a link is not followed. */
export interface DiskEntry {
  readonly kind: "directory" | "link" | "file" | "other";
  /** Bytes of a file. */
  readonly size: number;
  /** When its content was last changed, in milliseconds since the epoch; of a link, when it was made. */
  readonly changedAtMs: number;
  /** When anything about it was last changed, its name among it, in milliseconds since the epoch. */
  readonly touchedAtMs: number;
  readonly uid: number;
  readonly gid: number;
  /** Permissions, as in chmod(1). */
  readonly mode: number;
}

/** A file that is being written for the first time. */
export interface NewFile extends AsyncDisposable {
  write(data: string | Uint8Array): Promise<void>;
  /** Brings what was written to the disk itself (fsync(2)): until then a power cut may take it away. */
  sync(): Promise<void>;
}

/** A file whose bytes are written anew in place, from its first one on: what is not longer than it needs no new space. */
export interface OldFile extends NewFile {
  /** Its bytes. */
  readonly size: number;
}

/**
 * A directory that is held open: what is done by it is done in it, wherever the path that led there leads by now. It is for
 * places where somebody else may write, who could swap any name for a link between two calls (openat(2)).
 */
export interface HeldDirectory extends AsyncDisposable {
  /** A directory in it; ENOENT, and ENOTDIR or ELOOP for what is none, a link among it. */
  open(name: string): Promise<HeldDirectory>;
  /** Null where there is nothing; a link is not followed. */
  look(name: string): Promise<DiskEntry | null>;
  /** Makes a directory in it; whatever is there is left alone. */
  makeDirectory(name: string): Promise<void>;
  /** Moves what stands at a path here: whoever looks sees nothing of it or all of it, also from another file system. */
  take(from: string, name: string): Promise<void>;
  /** Makes new and renamed entries of it last. */
  sync(): Promise<void>;
}

/**
 * The file system, call by call. Each may be the last one before a kill or a power cut, and what is not flushed may be gone
 * after the latter. A call that fails throws the system's error, with its `code`.
 */
export interface Disk {
  /**
   * The text of a plain file of at most 16 MiB and the time of its last change, or null where there is none. With
   * `follow: false` a link in its place is an error.
   */
  readText(path: string, options: { follow: boolean }): Promise<{ text: string; changedAtMs: number } | null>;
  /** Makes a file that is not there yet (EEXIST), with exactly these permissions. */
  createFile(path: string, mode: number): Promise<NewFile>;
  /** Null for what is no plain file with this one name: others may read it under another one. */
  openInPlace(path: string): Promise<OldFile | null>;
  /** Makes new, removed and renamed entries of this directory last (fsync(2), Notes). */
  syncDirectory(path: string): Promise<void>;
  /** Makes everything below last, however many files that are (syncfs(2)). */
  syncTree(path: string): Promise<void>;
  /** Replaces what stands at `to`, in one step. */
  rename(from: string, to: string): Promise<void>;
  /**
   * Swaps what stands at two names, in one step (renameat2(2), RENAME_EXCHANGE).
   *
   * @throws the system's EINVAL or ENOSYS where the file system or the kernel cannot
   */
  exchange(path: string, other: string): Promise<void>;
  /** Removes one entry that is no directory; nothing there is fine. */
  removeFile(path: string): Promise<void>;
  /**
   * Removes a file or a tree; links in it are removed and never followed, also while somebody swaps its directories for
   * links. Nothing there is fine.
   */
  removeTree(path: string): Promise<void>;
  /** Makes the directory and its parents; one that is there is left alone. */
  makeDirectory(path: string, mode?: number): Promise<void>;
  /** Links on the way are followed: only below it may others write. */
  openDirectory(path: string): Promise<HeldDirectory>;
  /** Null where there is nothing. */
  look(path: string): Promise<DiskEntry | null>;
  /** Names in a directory, in no particular order; null where there is no directory. */
  list(path: string): Promise<readonly string[] | null>;
  readLink(path: string): Promise<string>;
  makeLink(path: string, target: string): Promise<void>;
  /** Gives the entry itself, not what a link points at, and nothing below it. */
  giveTo(path: string, owner: Owner): Promise<void>;
  /**
   * Gives what belongs to `from` in a tree to `to`, also while `from` swaps names in it: nothing outside, nothing that has
   * another name as well, and what links lead to never. No such directory is fine.
   */
  giveTree(path: string, from: Owner, to: Owner): Promise<GivenTree>;
  setMode(path: string, mode: number): Promise<void>;
  /** Bytes that an ordinary user could still write on the file system of `path`. */
  freeBytes(path: string): Promise<number>;
  /** Cuts a log that somebody appends to back to its newest half when it has grown past the limit. */
  trimLog(path: string, maxBytes: number): Promise<void>;
}
