import type { Digest } from "../schema/names.ts";
import type { BuildRecord } from "../schema/znodes.ts";
import type { RunCommand } from "../support/command.ts";
import type { Layout } from "./layout.ts";

/** What the steps do to the disk. Each call may be the last one before a kill -9, and the ladder goes on from there. */
export interface StepFiles {
  /** The file's text, or null when there is no such file. */
  readIfThere(path: string): Promise<string | null>;
  /** Replaces the file as a whole and flushes it. */
  writeFileAtomic(path: string, data: string, mode?: number): Promise<void>;
  /** Makes the directory and its parents; an existing one is left alone. */
  makeDirectory(path: string, mode?: number): Promise<void>;
  /** Renames and flushes the directory, so that the new name survives a power cut. */
  renameDurably(from: string, to: string): Promise<void>;
  /** Bytes of a file, or null when there is none. */
  sizeOf(path: string): Promise<number | null>;
  kindOf(path: string): Promise<"absent" | "directory" | "link" | "file">;
  linkTarget(path: string): Promise<string>;
  makeLink(path: string, target: string): Promise<void>;
  /** Gives the entry itself to the owner, not what a link points at, and nothing below it. */
  giveTo(path: string, owner: { uid: number; gid: number }): Promise<void>;
  removeTree(path: string): Promise<void>;
  /** Points the link at the target in one atomic step. */
  flipSymlink(link: string, target: string): Promise<void>;
  freeBytes(path: string): Promise<number>;
  makePublic(path: string): Promise<void>;
}

/** The build that a step works on. */
export interface BuildWork {
  readonly service: string;
  readonly build: string;
  readonly deploy: string;
  readonly layout: Layout;
  readonly record: BuildRecord & { readonly digest: Digest };
}

export interface StepPorts {
  readonly files: StepFiles;
  readonly run: RunCommand;
  readonly signal: AbortSignal;
}
