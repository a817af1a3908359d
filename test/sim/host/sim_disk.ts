import type { DiskEntry } from "../../../src/machine/disk.ts";
import type { Owner } from "../../../src/support/command.ts";
import type { Chance } from "../chance.ts";
import {
  bytesBelow,
  checkMove,
  find,
  walk,
  type DirectoryNode,
  type FileNode,
  type Node,
  type Place,
} from "./file_tree.ts";
import { MetadataJournal, type NameChange, WRITE_BACK_MS } from "./metadata_journal.ts";
import { systemError } from "./system_error.ts";

export interface SimDiskOptions {
  readonly chance: Chance;
  /** The time of the rehearsal. */
  readonly nowMs: () => number;
  /** The host's clock on the wall, which stamps files. */
  readonly wallMs: () => number;
}

const CAPACITY_BYTES = 64 * 1024 ** 3;
const NOTHING = new Uint8Array(0);

/**
 * A host's disk with the kernel's cache before it: what is written is seen at once by everybody, and is gone after a power
 * cut where nobody flushed it. Calls happen in no time; `diskOf` gives them to an agent.
 */
export class SimDisk {
  /** No byte more fits. */
  full = false;
  readOnly = false;
  /** Reading these files gives an agent a wrong byte. */
  damages: (path: string) => boolean = () => false;
  /** Told of each name that was made, moved here or removed. */
  onName: (path: string) => void = () => {};
  readonly #options: SimDiskOptions;
  readonly #root: DirectoryNode;
  readonly #journal = new MetadataJournal();
  readonly #dirty = new Set<FileNode>();
  #usedBytes = 0;

  constructor(options: SimDiskOptions) {
    this.#options = options;
    this.#root = this.#newDirectory();
  }

  look(path: string): DiskEntry | null {
    const node = this.#nodeOrNull(path, "lstat", false);
    return node === null ? null : entryOf(node);
  }

  /** Null where there is no such file. */
  read(path: string, follow: boolean): { bytes: Uint8Array; changedAtMs: number } | null {
    const node = this.#nodeOrNull(path, "open", follow);
    if (node === null) return null;
    if (node.kind === "link") throw systemError("ELOOP", "open", path);
    if (node.kind === "directory") throw systemError("EISDIR", "read", path);
    const { bytes, changedAtMs } = node;
    return { bytes, changedAtMs };
  }

  /** The same as an agent gets it, of a disk that may be worn out. */
  readWorn(path: string, follow: boolean): { bytes: Uint8Array; changedAtMs: number } | null {
    const found = this.read(path, follow);
    return found === null || !this.damages(path) ? found : { ...found, bytes: damaged(found.bytes) };
  }

  list(path: string): readonly string[] | null {
    const node = this.#nodeOrNull(path, "scandir", true);
    if (node === null) return null;
    if (node.kind !== "directory") throw systemError("ENOTDIR", "scandir", path);
    return [...node.entries.keys()];
  }

  readLink(path: string): string {
    const { node } = this.#find(path, "readlink", false);
    if (node === null) throw systemError("ENOENT", "readlink", path);
    if (node.kind !== "link") throw systemError("EINVAL", "readlink", path);
    return node.target;
  }

  /** Whether nothing would change by making it. */
  isDirectory(path: string): boolean {
    return this.#nodeOrNull(path, "mkdir", true)?.kind === "directory";
  }

  /** Fails where there is something already. */
  create(path: string): FileNode {
    const place = this.#find(path, "open", false);
    if (place.node !== null) throw systemError("EEXIST", "open", path);
    return this.#addFile(place, path);
  }

  /** Makes the file where there is none. */
  open(path: string): FileNode {
    const place = this.#find(path, "open", true);
    if (place.node === null) return this.#addFile(place, path);
    this.#writable("open", path);
    if (place.node.kind !== "file") throw systemError("EISDIR", "open", path);
    return place.node;
  }

  append(file: FileNode, data: Uint8Array): void {
    if (data.length > 0) this.#store(file, Buffer.concat([file.bytes, data]));
  }

  /** Null for what is no file; no file here has two names. */
  openInPlace(path: string): FileNode | null {
    const node = this.#nodeOrNull(path, "open", false);
    if (node?.kind !== "file") return null;
    this.#writable("open", path);
    return node;
  }

  /** From `at` on; what is beyond stays. */
  writeOver(file: FileNode, at: number, data: Uint8Array): void {
    const rest = file.bytes.subarray(Math.min(at + data.length, file.bytes.length));
    this.#store(file, Buffer.concat([file.bytes.subarray(0, at), data, rest]));
  }

  truncate(file: FileNode, length = 0): void {
    if (length < file.bytes.length) this.#store(file, length === 0 ? NOTHING : file.bytes.subarray(0, length));
  }

  rename(from: string, to: string): void {
    this.#move(from, this.#find(to, "rename", false), to);
  }

  /** In one step, which takes no room: both names are there already. */
  exchange(path: string, other: string): void {
    const call = "renameat2";
    const [one, two] = [this.#find(path, call, false), this.#find(other, call, false)];
    if (one.node === null) throw systemError("ENOENT", call, path);
    if (two.node === null) throw systemError("ENOENT", call, other);
    this.#writable(call, path);
    one.node.touchedAtMs = two.node.touchedAtMs = this.#options.wallMs();
    this.#names(other, [
      { directory: one.parent, name: one.name, before: one.node, after: two.node },
      { directory: two.parent, name: two.name, before: two.node, after: one.node },
    ]);
    this.onName(path);
  }

  /** By whom it is held open: names in it are found wherever it was moved. */
  openDirectory(path: string): DirectoryNode {
    const { node } = this.#find(path, "open", true);
    if (node === null) throw systemError("ENOENT", "open", path);
    if (node.kind !== "directory") throw systemError("ENOTDIR", "open", path);
    return node;
  }

  lookIn(directory: DirectoryNode, name: string): Node | null {
    return directory.entries.get(name) ?? null;
  }

  makeDirectoryIn(parent: DirectoryNode, name: string, path: string): void {
    this.#room("mkdir", path, 1);
    this.#add({ parent, name, node: null }, path, this.#newDirectory());
  }

  renameInto(from: string, parent: DirectoryNode, name: string, path: string): void {
    this.#move(from, { parent, name, node: this.lookIn(parent, name) }, path);
  }

  flushNames(directory: DirectoryNode): void {
    this.#journal.flushDirectory(directory);
  }

  #move(from: string, target: Place, to: string): void {
    const call = "rename";
    const source = this.#find(from, call, false);
    if (source.node === null) throw systemError("ENOENT", call, from);
    this.#writable(call, from);
    if (source.node === target.node) return;
    checkMove(source.node, target, to);
    if (target.node === null) this.#room(call, to, 0.2);
    this.#freed(target.node);
    source.node.touchedAtMs = this.#options.wallMs();
    this.#names(to, [
      { directory: source.parent, name: source.name, before: source.node, after: null },
      { directory: target.parent, name: target.name, before: target.node, after: source.node },
    ]);
  }

  makeDirectory(path: string): void {
    for (let end = path.indexOf("/", 1); ; end = path.indexOf("/", end + 1)) {
      const at = end === -1 ? path : path.slice(0, end);
      const place = this.#find(at, "mkdir", true);
      if (place.node === null) {
        this.#room("mkdir", at, 1);
        this.#add(place, at, this.#newDirectory());
      } else if (place.node.kind !== "directory") {
        throw systemError(end === -1 ? "EEXIST" : "ENOTDIR", "mkdir", path);
      }
      if (end === -1) return;
    }
  }

  makeLink(path: string, target: string): void {
    const place = this.#find(path, "symlink", false);
    if (place.node !== null) throw systemError("EEXIST", "symlink", path);
    this.#room("symlink", path, 0.5);
    const now = this.#options.wallMs();
    this.#add(place, path, { kind: "link", target, changedAtMs: now, touchedAtMs: now });
  }

  removeFile(path: string): void {
    const place = this.#placeOrNull(path, "unlink");
    if (place === null) return;
    if (place.node.kind === "directory") throw systemError("EISDIR", "unlink", path);
    this.#remove(place, path);
  }

  /** @param share how much of it goes; less than all of it is what a kill in the middle leaves */
  removeTree(path: string, share = 1): void {
    const place = this.#placeOrNull(path, "rm");
    if (place === null) return;
    const doomed: [Place & { node: Node }, string][] = [];
    const visit = (at: Place & { node: Node }, where: string): void => {
      if (at.node.kind === "directory") {
        for (const [name, node] of at.node.entries) visit({ parent: at.node, name, node }, `${where}/${name}`);
      }
      doomed.push([at, where]);
    };
    visit(place, path);
    for (const [at, where] of doomed.slice(0, Math.ceil(doomed.length * share))) this.#remove(at, where);
  }

  /** Changes what is known about an entry, and not what it holds. */
  touch(path: string, call: string, follow: boolean): void {
    const { node } = this.#find(path, call, follow);
    if (node === null) throw systemError("ENOENT", call, path);
    this.#writable(call, path);
    node.touchedAtMs = this.#options.wallMs();
  }

  give(path: string, owner: Owner): void {
    this.touch(path, "lchown", false);
    const { node } = this.#find(path, "lchown", false);
    if (node !== null) node.owner = owner;
  }

  freeBytes(path: string): number {
    if (this.#find(path, "statfs", true).node === null) throw systemError("ENOENT", "statfs", path);
    return this.full ? 0 : CAPACITY_BYTES - this.#usedBytes;
  }

  flushFile(file: FileNode): void {
    file.durable = file.bytes;
    this.#dirty.delete(file);
  }

  flushDirectory(path: string): void {
    const { node } = this.#find(path, "open", true);
    if (node === null) throw systemError("ENOENT", "open", path);
    if (node.kind === "directory") this.#journal.flushDirectory(node);
    else if (node.kind === "file") this.flushFile(node);
  }

  /** Brings everything to the disk, or a part of it, as a kernel that was interrupted would have. */
  flushAll(share = 1): void {
    const files = [...this.#dirty];
    for (const file of files.slice(0, Math.floor(files.length * share))) this.flushFile(file);
    this.#journal.flush(share);
  }

  /** What was not flushed is lost, all of it, some of it, or nothing. Returns that in words. */
  powerCut(): string {
    const { chance, nowMs } = this.#options;
    let files = 0;
    const names = this.#journal.cut(nowMs(), (unsure) => {
      const luck = chance.random();
      return luck < 0.4 ? 0 : luck < 0.7 ? unsure : chance.between(0, unsure);
    });
    for (const file of this.#dirty) {
      const written = file.bytes;
      if (file.writtenAtMs > nowMs() - WRITE_BACK_MS) file.bytes = this.#leftOf(file);
      if (file.bytes !== written) files += 1;
      file.durable = file.bytes;
    }
    this.#dirty.clear();
    this.#usedBytes = bytesBelow(this.#root);
    return `${names} changes of names and what was written to ${files} files are lost`;
  }

  /** Another disk takes its place, with nothing on it. */
  replace(): void {
    this.flushAll();
    this.#root.entries.clear();
    this.#usedBytes = 0;
    this.full = this.readOnly = false;
  }

  /** What a power cut in this instant may leave of a link: its targets, and null when it may be gone. */
  possibleTargets(link: string): ReadonlySet<string | null> {
    const place = this.#placeOrNull(link, "readlink");
    if (place === null) return new Set([null]);
    const found = new Set<string | null>();
    for (const node of this.#journal.possible(place.parent, place.name)) {
      found.add(node?.kind === "link" ? node.target : null);
    }
    return found;
  }

  #leftOf({ bytes, durable }: FileNode): Uint8Array {
    const { chance } = this.#options;
    const begun = chance.between(0, bytes.length);
    const beginning = bytes.subarray(0, begun);
    // Written over in place, it may be the new text as far as it came, and the old one from there on.
    const isInPlace = durable.length === bytes.length;
    const half = isInPlace ? Buffer.concat([beginning, durable.subarray(begun)]) : beginning;
    return chance.pick([durable, NOTHING, bytes, half]);
  }

  #newDirectory(): DirectoryNode {
    const now = this.#options.wallMs();
    return { kind: "directory", entries: new Map(), changedAtMs: now, touchedAtMs: now };
  }

  #addFile(place: Place, path: string): FileNode {
    this.#room("open", path, 0.5);
    const now = this.#options.wallMs();
    const times = { changedAtMs: now, touchedAtMs: now, writtenAtMs: this.#options.nowMs() };
    const file: FileNode = { kind: "file", bytes: NOTHING, durable: NOTHING, ...times };
    this.#add(place, path, file);
    return file;
  }

  #add({ parent, name }: Place, path: string, node: Node): void {
    this.#names(path, [{ directory: parent, name, before: null, after: node }]);
  }

  #remove({ parent, name, node }: Place & { node: Node }, path: string): void {
    this.#writable("unlink", path);
    if (node.kind === "file") this.#freed(node);
    this.#names(path, [{ directory: parent, name, before: node, after: null }]);
  }

  #names(path: string, changes: readonly NameChange[]): void {
    this.#journal.apply(this.#options.nowMs(), changes);
    const now = this.#options.wallMs();
    for (const { directory } of changes) directory.changedAtMs = directory.touchedAtMs = now;
    this.onName(path);
  }

  #freed(node: Node | null): void {
    if (node?.kind === "file") this.#usedBytes -= node.bytes.length;
  }

  #store(file: FileNode, bytes: Uint8Array): void {
    const more = bytes.length - file.bytes.length;
    this.#writable("write", "a file");
    if (more > 0 && (this.full || this.#usedBytes + more > CAPACITY_BYTES))
      throw systemError("ENOSPC", "write", "a file");
    this.#usedBytes += more;
    file.bytes = bytes;
    file.writtenAtMs = this.#options.nowMs();
    file.changedAtMs = file.touchedAtMs = this.#options.wallMs();
    this.#dirty.add(file);
  }

  /** A new name often finds room in a directory's last block, also on a full disk. */
  #room(call: string, path: string, likely: number): void {
    this.#writable(call, path);
    if (this.full && this.#options.chance.happens(likely)) throw systemError("ENOSPC", call, path);
  }

  #writable(call: string, path: string): void {
    if (this.readOnly) throw systemError("EROFS", call, path);
  }

  #find(path: string, call: string, follow: boolean): Place {
    return find(this.#root, path, call, follow);
  }

  #nodeOrNull(path: string, call: string, follow: boolean): Node | null {
    return this.#placeOrNull(path, call, follow)?.node ?? null;
  }

  #placeOrNull(path: string, call: string, follow = false): (Place & { node: Node }) | null {
    const found = walk(this.#root, path, follow);
    if (found === "ENOENT") return null;
    if (typeof found === "string") throw systemError(found, call, path);
    const { parent, name, node } = found;
    return node === null ? null : { parent, name, node };
  }
}

export function entryOf(node: Node): DiskEntry {
  const { kind, changedAtMs, touchedAtMs } = node;
  const size = node.kind === "file" ? node.bytes.length : 0;
  const { uid, gid } = node.owner ?? { uid: 0, gid: 0 };
  return { kind, size, changedAtMs, touchedAtMs, uid, gid, mode: node.mode ?? (kind === "directory" ? 0o755 : 0o644) };
}

function damaged(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const at = copy.length >> 1;
  const byte = copy[at];
  // The lowest bit alone, so that text stays text.
  if (byte !== undefined) copy[at] = byte ^ 1;
  return copy;
}
