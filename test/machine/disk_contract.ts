import type { Disk } from "../../src/machine/disk.ts";

/** What any disk does, real or simulated: a script in an empty directory, and what comes of it. */
export interface DiskCase {
  readonly name: string;
  readonly script: (disk: Disk, root: string) => Promise<unknown>;
  readonly outcome: unknown;
}

async function write(disk: Disk, path: string, text: string): Promise<void> {
  await using file = await disk.createFile(path, 0o644);
  await file.write(text);
  await file.sync();
}

async function textAt(disk: Disk, path: string, follow = true): Promise<string | null> {
  return (await disk.readText(path, { follow }))?.text ?? null;
}

async function names(disk: Disk, path: string): Promise<string | null> {
  return (await disk.list(path))?.toSorted().join(" ") ?? null;
}

async function kindAt(disk: Disk, path: string): Promise<string | null> {
  return (await disk.look(path))?.kind ?? null;
}

/** The system's name of the failure, or that there was none. */
async function failure(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "no failure";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

export const diskCases: readonly DiskCase[] = [
  {
    name: "a file holds what was written to it, bit by bit",
    script: async (disk, root) => {
      await using file = await disk.createFile(`${root}/a`, 0o600);
      await file.write("one ");
      await file.write(Buffer.from("two"));
      return [await textAt(disk, `${root}/a`), (await disk.look(`${root}/a`))?.size];
    },
    outcome: ["one two", 7],
  },
  {
    name: "a file is made once, and not where a link stands",
    script: async (disk, root) => {
      await write(disk, `${root}/a`, "a");
      await disk.makeLink(`${root}/l`, "nowhere");
      return [
        await failure(disk.createFile(`${root}/a`, 0o644)),
        await failure(disk.createFile(`${root}/l`, 0o644)),
        await failure(disk.createFile(`${root}/none/a`, 0o644)),
        await failure(disk.createFile(`${root}/a/b`, 0o644)),
      ];
    },
    outcome: ["EEXIST", "EEXIST", "ENOENT", "ENOTDIR"],
  },
  {
    name: "a file that is open can be written after it was renamed and after it was removed",
    script: async (disk, root) => {
      await using file = await disk.createFile(`${root}/a`, 0o644);
      await disk.rename(`${root}/a`, `${root}/b`);
      await file.write("text");
      const renamed = await textAt(disk, `${root}/b`);
      await disk.removeFile(`${root}/b`);
      await file.write("more");
      await file.sync();
      return [renamed, await names(disk, root)];
    },
    outcome: ["text", ""],
  },
  {
    name: "a file is written over in place, from its beginning, and what is beyond stays",
    script: async (disk, root) => {
      await write(disk, `${root}/a`, "one two three");
      await disk.makeLink(`${root}/l`, "a");
      await disk.makeDirectory(`${root}/d`);
      const sizes: unknown[] = [];
      for (const name of ["a", "l", "d", "none"]) {
        const file = await disk.openInPlace(`${root}/${name}`);
        sizes.push(file?.size ?? null);
        await file?.write("ONE");
        await file?.write(Buffer.from(" TWO"));
        await file?.sync();
        await file?.[Symbol.asyncDispose]();
      }
      return [sizes, await textAt(disk, `${root}/a`)];
    },
    outcome: [[13, null, null, null], "ONE TWO three"],
  },
  {
    name: "two names change places, whatever stands there, and nothing where one of them is free",
    script: async (disk, root) => {
      await write(disk, `${root}/a`, "a");
      await disk.makeDirectory(`${root}/d`);
      await write(disk, `${root}/d/b`, "b");
      await disk.exchange(`${root}/a`, `${root}/d/b`);
      const files = [await textAt(disk, `${root}/a`), await textAt(disk, `${root}/d/b`)];
      await disk.exchange(`${root}/a`, `${root}/d`);
      return [
        ...files,
        await textAt(disk, `${root}/a/b`),
        await kindAt(disk, `${root}/d`),
        await failure(disk.exchange(`${root}/a`, `${root}/none`)),
        await failure(disk.exchange(`${root}/none`, `${root}/a`)),
        await names(disk, root),
      ];
    },
    outcome: ["b", "a", "a", "file", "ENOENT", "ENOENT", "a d"],
  },
  {
    name: "what is not there is nothing to read, look at, list and remove",
    script: async (disk, root) => {
      await disk.removeFile(`${root}/none`);
      await disk.removeTree(`${root}/none/deep`);
      return [
        await textAt(disk, `${root}/none`),
        await kindAt(disk, `${root}/none`),
        await names(disk, `${root}/none`),
        await textAt(disk, `${root}/none/deep`),
        await failure(disk.readLink(`${root}/none`)),
        await failure(disk.syncDirectory(`${root}/none`)),
        await failure(disk.giveTo(`${root}/none`, { uid: 0, gid: 0 })),
        await failure(disk.setMode(`${root}/none`, 0o755)),
        await failure(disk.freeBytes(`${root}/none`)),
      ];
    },
    outcome: [null, null, null, null, "ENOENT", "ENOENT", "ENOENT", "ENOENT", "ENOENT"],
  },
  {
    name: "a link is followed where asked for, and in the middle of a path always",
    script: async (disk, root) => {
      await disk.makeDirectory(`${root}/d/deep`);
      await write(disk, `${root}/d/deep/a`, "text");
      await disk.makeLink(`${root}/relative`, "d/deep");
      await disk.makeLink(`${root}/absolute`, `${root}/d`);
      await disk.makeLink(`${root}/d/up`, "../d/deep/a");
      await disk.makeLink(`${root}/nowhere`, "none");
      return [
        await textAt(disk, `${root}/relative/a`, false),
        await textAt(disk, `${root}/absolute/deep/a`),
        await textAt(disk, `${root}/d/up`),
        await failure(disk.readText(`${root}/d/up`, { follow: false })),
        await textAt(disk, `${root}/nowhere`),
        await names(disk, `${root}/relative`),
        await kindAt(disk, `${root}/relative`),
        await disk.readLink(`${root}/d/up`),
        await failure(disk.readLink(`${root}/d`)),
      ];
    },
    outcome: ["text", "text", "text", "ELOOP", null, "a", "link", "../d/deep/a", "EINVAL"],
  },
  {
    name: "links that lead to each other lead nowhere",
    script: async (disk, root) => {
      await disk.makeLink(`${root}/a`, "b");
      await disk.makeLink(`${root}/b`, "a");
      return [await failure(disk.readText(`${root}/a`, { follow: true })), await failure(disk.list(`${root}/a`))];
    },
    outcome: ["ELOOP", "ELOOP"],
  },
  {
    name: "a link is made where nothing stands",
    script: async (disk, root) => {
      await disk.makeLink(`${root}/l`, "a");
      return [
        await failure(disk.makeLink(`${root}/l`, "b")),
        await failure(disk.makeLink(`${root}/none/l`, "b")),
        await disk.readLink(`${root}/l`),
      ];
    },
    outcome: ["EEXIST", "ENOENT", "a"],
  },
  {
    name: "a rename replaces a file, a link, and an empty directory by its like",
    script: async (disk, root) => {
      await write(disk, `${root}/new`, "new");
      await write(disk, `${root}/old`, "old");
      await disk.rename(`${root}/new`, `${root}/old`);
      await disk.makeLink(`${root}/l1`, "1");
      await disk.makeLink(`${root}/l2`, "2");
      await disk.rename(`${root}/l2`, `${root}/l1`);
      await disk.makeDirectory(`${root}/d1/in`);
      await disk.makeDirectory(`${root}/d2`);
      await disk.rename(`${root}/d1`, `${root}/d2`);
      return [
        await textAt(disk, `${root}/old`),
        await disk.readLink(`${root}/l1`),
        await names(disk, `${root}/d2`),
        await names(disk, root),
      ];
    },
    outcome: ["new", "2", "in", "d2 l1 old"],
  },
  {
    name: "a rename over what is no like of it, or into itself, fails and changes nothing",
    script: async (disk, root) => {
      await write(disk, `${root}/file`, "text");
      await disk.makeDirectory(`${root}/empty`);
      await disk.makeDirectory(`${root}/full/in`);
      return [
        await failure(disk.rename(`${root}/file`, `${root}/empty`)),
        await failure(disk.rename(`${root}/empty`, `${root}/file`)),
        await failure(disk.rename(`${root}/empty`, `${root}/full`)),
        await failure(disk.rename(`${root}/full`, `${root}/full/in/deep`)),
        await failure(disk.rename(`${root}/none`, `${root}/file`)),
        await failure(disk.rename(`${root}/file`, `${root}/none/file`)),
        await failure(disk.rename(`${root}/file`, `${root}/file`)),
        await names(disk, root),
      ];
    },
    outcome: ["EISDIR", "ENOTDIR", "ENOTEMPTY", "EINVAL", "ENOENT", "ENOENT", "no failure", "empty file full"],
  },
  {
    name: "directories are made with their parents, and one that is there is left alone",
    script: async (disk, root) => {
      await disk.makeDirectory(`${root}/a/b/c`);
      await write(disk, `${root}/a/b/file`, "text");
      await disk.makeDirectory(`${root}/a/b`, 0o700);
      await disk.makeLink(`${root}/l`, "a");
      await disk.makeDirectory(`${root}/l/d`);
      return [
        await names(disk, `${root}/a/b`),
        await names(disk, `${root}/a`),
        await failure(disk.makeDirectory(`${root}/a/b/file`)),
        await failure(disk.makeDirectory(`${root}/a/b/file/d`)),
      ];
    },
    outcome: ["c file", "b d", "EEXIST", "ENOTDIR"],
  },
  {
    name: "a tree is removed without following its links, and so is what is no tree",
    script: async (disk, root) => {
      await disk.makeDirectory(`${root}/kept`);
      await write(disk, `${root}/kept/a`, "kept");
      await disk.makeDirectory(`${root}/d/deep`);
      await write(disk, `${root}/d/deep/a`, "gone");
      await disk.makeLink(`${root}/d/l`, "../kept");
      await disk.makeLink(`${root}/l`, "kept");
      await write(disk, `${root}/file`, "gone");
      for (const name of ["d", "l", "file"]) await disk.removeTree(`${root}/${name}`);
      return [await names(disk, root), await textAt(disk, `${root}/kept/a`)];
    },
    outcome: ["kept", "kept"],
  },
  {
    name: "one entry is removed, and of a link only the link",
    script: async (disk, root) => {
      await write(disk, `${root}/a`, "kept");
      await disk.makeLink(`${root}/l`, "a");
      await disk.removeFile(`${root}/l`);
      const left = await names(disk, root);
      await disk.removeFile(`${root}/a`);
      return [left, await names(disk, root)];
    },
    outcome: ["a", ""],
  },
  {
    name: "a directory is no file and a file no directory",
    script: async (disk, root) => {
      await disk.makeDirectory(`${root}/d`);
      await write(disk, `${root}/a`, "text");
      return [
        await failure(disk.readText(`${root}/d`, { follow: true })),
        await failure(disk.list(`${root}/a`)),
        await failure(disk.look(`${root}/a/b`)),
        await failure(disk.rename(`${root}/a/b`, `${root}/c`)),
      ];
    },
    outcome: ["internal", "ENOTDIR", "ENOTDIR", "ENOTDIR"],
  },
  {
    name: "no tree is nothing to give away",
    script: async (disk, root) => {
      await disk.makeDirectory(`${root}/d/deep`);
      const [former, next] = [
        { uid: 1234, gid: 1234 },
        { uid: 1235, gid: 1235 },
      ];
      return [
        (await disk.giveTree(`${root}/none`, former, next)).given,
        await disk.giveTree(`${root}/d`, former, next),
      ];
    },
    outcome: [0, { given: 0, kept: 0, named: [] }],
  },
  {
    name: "a name and a mode change nothing about when the content was changed",
    script: async (disk, root) => {
      await write(disk, `${root}/a`, "text");
      const before = await disk.look(`${root}/a`);
      await disk.rename(`${root}/a`, `${root}/b`);
      await disk.setMode(`${root}/b`, 0o600);
      const after = await disk.look(`${root}/b`);
      if (before === null || after === null) return "nothing is there";
      const read = await disk.readText(`${root}/b`, { follow: true });
      return [
        after.changedAtMs === before.changedAtMs,
        read?.changedAtMs === after.changedAtMs,
        after.touchedAtMs >= before.touchedAtMs,
        after.touchedAtMs >= after.changedAtMs,
      ];
    },
    outcome: [true, true, true, true],
  },
  {
    name: "flushing changes nothing that can be seen",
    script: async (disk, root) => {
      await disk.makeDirectory(`${root}/d`);
      await write(disk, `${root}/d/a`, "text");
      await disk.syncDirectory(`${root}/d`);
      await disk.syncTree(root);
      return [await names(disk, `${root}/d`), (await disk.freeBytes(root)) > 0];
    },
    outcome: ["a", true],
  },
  {
    name: "a log is cut to its newest half, at the beginning of a line",
    script: async (disk, root) => {
      await write(disk, `${root}/log`, "1111\n2222\n3333\n4444\n5555\n");
      await disk.trimLog(`${root}/log`, 100);
      const whole = await textAt(disk, `${root}/log`);
      await disk.trimLog(`${root}/log`, 24);
      await disk.trimLog(`${root}/none`, 24);
      return [whole?.length, await textAt(disk, `${root}/log`)];
    },
    outcome: [25, "4444\n5555\n"],
  },
];
