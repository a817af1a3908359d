import { DeployError } from "../../../src/core/errors.ts";
import type { Disk, NewFile } from "../../../src/machine/disk.ts";
import type { FileNode } from "./file_tree.ts";
import type { Life } from "./life.ts";
import type { SimDisk } from "./sim_disk.ts";

/** A host's disk as one agent has it: each call takes its time and may be the last. */
export function diskOf(life: Life, disk: SimDisk): Disk {
  return {
    readText: (path, { follow }) =>
      life.look(() => {
        if (follow && disk.isDirectory(path)) {
          throw new DeployError(`Cannot read "${path}": it is no plain file.`, { code: "internal" });
        }
        const found = disk.readWorn(path, follow);
        return found === null ? null : { text: textOf(found.bytes), changedAtMs: found.changedAtMs };
      }),
    createFile: async (path) =>
      newFile(life, disk, path, await life.effect("write", `make ${path}`, () => disk.create(path))),
    syncDirectory: (path) => life.effect("flush", `flush ${path}`, () => disk.flushDirectory(path)),
    syncTree: (path) =>
      life.effect(
        "flush",
        `flush all of ${path}`,
        () => disk.flushAll(),
        () => disk.flushAll(0.5),
      ),
    rename: (from, to) => life.effect("name", `rename ${from} to ${to}`, () => disk.rename(from, to)),
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
    look: (path) => life.look(() => disk.look(path)),
    list: (path) => life.look(() => disk.list(path)),
    readLink: (path) => life.look(() => disk.readLink(path)),
    makeLink: (path, target) => life.effect("name", `link ${path} to ${target}`, () => disk.makeLink(path, target)),
    giveTo: (path) => life.effect("name", `give ${path} away`, () => disk.touch(path, "lchown", false)),
    setMode: (path) => life.effect("name", `change the mode of ${path}`, () => disk.touch(path, "chmod", true)),
    freeBytes: (path) => life.look(() => disk.freeBytes(path)),
    trimLog: async (path, maxBytes) => {
      if (((await life.look(() => disk.look(path)))?.size ?? 0) <= maxBytes) return;
      await life.effect("write", `cut ${path}`, () => trimLog(disk, path, maxBytes));
    },
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

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
}
