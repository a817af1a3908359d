import { DeployError } from "../../../src/core/errors.ts";
import type { Disk, HeldDirectory, NewFile, OldFile } from "../../../src/machine/disk.ts";
import type { DirectoryNode, FileNode } from "./file_tree.ts";
import type { Life } from "./life.ts";
import { entryOf, type SimDisk } from "./sim_disk.ts";
import { systemError } from "./system_error.ts";

/** A host's disk as one agent has it: each call takes its time and may be the last. */
export function diskOf(life: Life, disk: SimDisk): Disk {
  return {
    readText: (path, { follow }) =>
      life.look(() => {
        if (follow && disk.isDirectory(path)) {
          throw new DeployError(`Cannot read "${path}": it is not a regular file.`, { code: "internal" });
        }
        const found = disk.readWorn(path, follow);
        return found === null ? null : { text: textOf(found.bytes), changedAtMs: found.changedAtMs };
      }),
    createFile: async (path) =>
      newFile(life, disk, path, await life.effect("write", `make ${path}`, () => disk.create(path))),
    openInPlace: async (path) => {
      const file = await life.look(() => disk.openInPlace(path));
      return file === null ? null : oldFile(life, disk, path, file);
    },
    syncDirectory: (path) => life.effect("flush", `flush ${path}`, () => disk.flushDirectory(path)),
    syncTree: (path) =>
      life.effect(
        "flush",
        `flush all of ${path}`,
        () => disk.flushAll(),
        () => disk.flushAll(0.5),
      ),
    rename: (from, to) => life.effect("name", `rename ${from} to ${to}`, () => disk.rename(from, to)),
    exchange: (path, other) => life.effect("name", `exchange ${path} and ${other}`, () => disk.exchange(path, other)),
    removeFile: async (path) => {
      // Nothing there is nothing to die at.
      if ((await life.look(() => disk.look(path))) === null) return;
      await life.effect("remove", `remove ${path}`, () => disk.removeFile(path));
    },
    removeTree: async (path) => {
      if ((await life.look(() => disk.look(path))) === null) return;
      await life.effect(
        "remove",
        `remove all of ${path}`,
        () => disk.removeTree(path),
        () => disk.removeTree(path, 0.5),
      );
    },
    makeDirectory: async (path) => {
      if (await life.look(() => disk.isDirectory(path))) return;
      await life.effect("name", `make the directory ${path}`, () => disk.makeDirectory(path));
    },
    openDirectory: async (path) => held(life, disk, path, await life.look(() => disk.openDirectory(path))),
    look: (path) => life.look(() => disk.look(path)),
    list: (path) => life.look(() => disk.list(path)),
    readLink: (path) => life.look(() => disk.readLink(path)),
    makeLink: (path, target) => life.effect("name", `link ${path} to ${target}`, () => disk.makeLink(path, target)),
    giveTo: (path, owner) => life.effect("name", `give ${path} away`, () => disk.give(path, owner)),
    // A host's services have one user each, from the beginning to the end.
    giveTree: (path) =>
      life.look(() => {
        disk.look(path);
        return { given: 0, kept: 0, named: [] };
      }),
    setMode: (path) => life.effect("name", `change the mode of ${path}`, () => disk.touch(path, "chmod", true)),
    freeBytes: (path) => life.look(() => disk.freeBytes(path)),
    trimLog: async (path, maxBytes) => {
      if (((await life.look(() => disk.look(path)))?.size ?? 0) <= maxBytes) return;
      await life.effect("write", `cut ${path}`, () => trimLog(disk, path, maxBytes));
    },
  };
}

function held(life: Life, disk: SimDisk, path: string, directory: DirectoryNode): HeldDirectory {
  return {
    open: async (name) => {
      const at = `${path}/${name}`;
      const below = await life.look(() => disk.lookIn(directory, name));
      if (below === null) throw systemError("ENOENT", "open", at);
      if (below.kind !== "directory") throw systemError("ENOTDIR", "open", at);
      return held(life, disk, at, below);
    },
    look: (name) =>
      life.look(() => {
        const node = disk.lookIn(directory, name);
        return node === null ? null : entryOf(node);
      }),
    makeDirectory: async (name) => {
      if ((await life.look(() => disk.lookIn(directory, name))) !== null) return;
      const at = `${path}/${name}`;
      await life.effect("name", `make the directory ${at}`, () => disk.makeDirectoryIn(directory, name, at));
    },
    take: (from, name) =>
      life.effect("name", `rename ${from} to ${path}/${name}`, () =>
        disk.renameInto(from, directory, name, `${path}/${name}`),
      ),
    sync: () => life.effect("flush", `flush ${path}`, () => disk.flushNames(directory)),
    [Symbol.asyncDispose]: async () => {},
  };
}

function newFile(life: Life, disk: SimDisk, path: string, file: FileNode): NewFile {
  return {
    write: (data) => {
      const bytes = typeof data === "string" ? Buffer.from(data) : data;
      return life.effect(
        "write",
        `write ${bytes.length} bytes to ${path}`,
        () => disk.append(file, bytes),
        () => disk.append(file, bytes.subarray(0, bytes.length >> 1)),
      );
    },
    sync: () => life.effect("flush", `flush ${path}`, () => disk.flushFile(file)),
    [Symbol.asyncDispose]: async () => {},
  };
}

function oldFile(life: Life, disk: SimDisk, path: string, file: FileNode): OldFile {
  let at = 0;
  return {
    size: file.bytes.length,
    write: async (data) => {
      const bytes = typeof data === "string" ? Buffer.from(data) : data;
      const from = at;
      at += bytes.length;
      await life.effect(
        "write",
        `write ${bytes.length} bytes over ${path}`,
        () => disk.writeOver(file, from, bytes),
        () => disk.writeOver(file, from, bytes.subarray(0, bytes.length >> 1)),
      );
    },
    sync: () => life.effect("flush", `flush ${path}`, () => disk.flushFile(file)),
    [Symbol.asyncDispose]: async () => {},
  };
}

const NEWLINE = 0x0a;

/** To the newest half, from the beginning of a line. */
function trimLog(disk: SimDisk, path: string, maxBytes: number): void {
  const bytes = disk.read(path, true)?.bytes;
  if (bytes === undefined || bytes.length <= maxBytes) return;
  const newest = bytes.slice(bytes.length - Math.floor(maxBytes / 2));
  const file = disk.open(path);
  disk.truncate(file);
  disk.append(file, newest.subarray(newest.indexOf(NEWLINE) + 1));
}

const knownTexts = new WeakMap<Uint8Array, string>();

/** @param bytes of a file of a simulated disk, which nobody changes in place */
export function textOf(bytes: Uint8Array): string {
  const known = knownTexts.get(bytes);
  if (known !== undefined) return known;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
  knownTexts.set(bytes, text);
  return text;
}
