import type { Owner } from "../../../src/support/command.ts";
import { systemError, type SystemCode } from "./system_error.ts";

interface Times {
  changedAtMs: number;
  touchedAtMs: number;
  /** Root's unless it was given away. */
  owner?: Owner;
  /** Readable for everybody unless somebody has said otherwise. */
  mode?: number;
}

export interface FileNode extends Times {
  readonly kind: "file";
  /** Never changed in place, so that what is on the disk may be the same array. */
  bytes: Uint8Array;
  /** What a power cut leaves for sure. */
  durable: Uint8Array;
  /** When it was last written, on the time of the rehearsal. */
  writtenAtMs: number;
}

export interface DirectoryNode extends Times {
  readonly kind: "directory";
  readonly entries: Map<string, Node>;
}

interface LinkNode extends Times {
  readonly kind: "link";
  readonly target: string;
}

export type Node = FileNode | DirectoryNode | LinkNode;

/** Where a path leads: `parent` is there, `node` need not be. */
export interface Place {
  readonly parent: DirectoryNode;
  readonly name: string;
  readonly node: Node | null;
}

/** As many links as Linux follows in one path (path_resolution(7)). */
const MOST_LINKS = 40;

/** @throws the system's ENOENT, ENOTDIR and ELOOP, for `call` */
export function find(root: DirectoryNode, path: string, call: string, follow: boolean): Place {
  const found = walk(root, path, follow);
  if (typeof found === "string") throw systemError(found, call, path);
  return found;
}

/** The same, with the system's name of what stands in the way. */
export function walk(
  root: DirectoryNode,
  path: string,
  follow: boolean,
): Place | Extract<SystemCode, "ENOENT" | "ENOTDIR" | "ELOOP"> {
  const trail: DirectoryNode[] = [root];
  let rest = namesIn(path);
  let links = 0;
  for (let at = 0; ; at += 1) {
    const here = trail.at(-1) ?? root;
    const name = rest[at];
    if (name === undefined) return { parent: here, name: "", node: here };
    if (name === ".") continue;
    if (name === "..") {
      if (trail.length > 1) trail.pop();
      continue;
    }
    const node = here.entries.get(name) ?? null;
    const isLast = at === rest.length - 1;
    if (node?.kind === "link" && (!isLast || follow)) {
      links += 1;
      if (links > MOST_LINKS) return "ELOOP";
      if (node.target.startsWith("/")) trail.length = 1;
      rest = [...namesIn(node.target), ...rest.slice(at + 1)];
      at = -1;
      continue;
    }
    if (isLast) return { parent: here, name, node };
    if (node === null) return "ENOENT";
    if (node.kind !== "directory") return "ENOTDIR";
    trail.push(node);
  }
}

/** A world goes the same few thousand paths over and over. */
const MOST_PATHS = 10_000;
const knownPaths = new Map<string, readonly string[]>();

function namesIn(path: string): readonly string[] {
  const known = knownPaths.get(path);
  if (known !== undefined) return known;
  if (knownPaths.size === MOST_PATHS) knownPaths.clear();
  const names = path.split("/").filter((name) => name !== "");
  knownPaths.set(path, names);
  return names;
}

/** Bytes of all files in and below a node. */
export function bytesBelow(node: Node): number {
  switch (node.kind) {
    case "file":
      return node.bytes.length;
    case "link":
      return 0;
    case "directory": {
      let sum = 0;
      for (const child of node.entries.values()) sum += bytesBelow(child);
      return sum;
    }
  }
}

/** @throws what the system says to a move that cannot be */
export function checkMove(source: Node, { parent, node: target }: Place, path: string): void {
  if (source.kind === "directory" && contains(source, parent)) throw systemError("EINVAL", "rename", path);
  if (target === null) return;
  if (target.kind !== "directory") {
    if (source.kind === "directory") throw systemError("ENOTDIR", "rename", path);
    return;
  }
  if (source.kind !== "directory") throw systemError("EISDIR", "rename", path);
  if (target.entries.size > 0) throw systemError("ENOTEMPTY", "rename", path);
}

function contains(directory: DirectoryNode, wanted: DirectoryNode): boolean {
  if (directory === wanted) return true;
  for (const child of directory.entries.values()) {
    if (child.kind === "directory" && contains(child, wanted)) return true;
  }
  return false;
}
