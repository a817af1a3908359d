import { describe, expect, test } from "bun:test";
import { lstatSync, mkdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { create as createTar, extract as extractTar } from "tar";
import { syncTree } from "../../src/host/sync_tree.ts";
import { Arena } from "../evil/arena.ts";
import {
  archive,
  content,
  directory,
  END,
  file,
  gnuLong,
  hardlink,
  header,
  pax,
  paxRecord,
  symlink,
} from "../evil/tar_builder.ts";
import { deployErrorOf, never, Scratch } from "./scratch.ts";
import { describeTree } from "./tree.ts";
import { unpackArchive, packDirectory } from "../harness/real_time.ts";

const LIMITS = { maxBytes: 1024 * 1024 * 1024, maxEntries: 100_000 };
const isRoot = process.geteuid?.() === 0;

function run(command: string[], cwd: string): void {
  const result = Bun.spawnSync(command, { cwd, env: { ...process.env, LC_ALL: "C" } });
  if (result.exitCode !== 0) throw new Error(`${command.join(" ")}: ${result.stderr.toString()}`);
}

function long(letter: string): string {
  return `${letter.repeat(60)}/${letter.repeat(120)}`;
}

describe("unpacking", () => {
  const plain = archive(directory("bin"), file("bin/run", "#!/bin/sh\n", { mode: 0o755 }), symlink("start", "bin/run"));

  for (const [name, bytes] of [
    ["tar", plain],
    ["tar.gz", gzipSync(plain)],
    ["tar.gz in two members", Buffer.concat([gzipSync(plain.subarray(0, 700)), gzipSync(plain.subarray(700))])],
    ["tar.zst", zstdCompressSync(plain)],
    [
      "tar.zst in two frames",
      Buffer.concat([zstdCompressSync(plain.subarray(0, 700)), zstdCompressSync(plain.subarray(700))]),
    ],
    [
      "tar.zst behind a skippable frame",
      Buffer.concat([Buffer.from("502a4d180400000001020304", "hex"), zstdCompressSync(plain)]),
    ],
  ] as const) {
    test(`${name} is told by its first bytes and unpacked`, async () => {
      using arena = new Arena();
      expect(await arena.unpack(bytes)).toEqual({ kind: "unpacked", entries: 3, bytes: 10 });
      expect(readFileSync(join(arena.into, "start"), "utf8")).toBe("#!/bin/sh\n");
      expect(lstatSync(join(arena.into, "bin/run")).mode & 0o7777).toBe(0o755);
    });
  }

  test("files keep their mtime", async () => {
    using arena = new Arena();
    await arena.unpack(
      archive(
        file("old", "x", { mtime: 1_234_567_890 }),
        pax(paxRecord("mtime", "1234567890.5")),
        file("exact", "x"),
        pax(paxRecord("mtime", "-5")),
        file("before", "x"),
        pax(paxRecord("mtime", "1e300")),
        file("far", "x"),
      ),
    );
    const mtimeMs = (name: string): number => lstatSync(join(arena.into, name)).mtimeMs;
    expect(mtimeMs("old")).toBe(1_234_567_890_000);
    expect(mtimeMs("exact")).toBe(1_234_567_890_500);
    expect(mtimeMs("before")).toBe(0);
    expect(mtimeMs("far")).toBeGreaterThan(Date.now());
  });

  test("directories that the archive does not name are made, and may be named later", async () => {
    using arena = new Arena();
    const outcome = await arena.unpack(archive(file("a/b/f", "x"), directory("a/b", { mode: 0o700 })));
    expect(outcome).toMatchObject({ entries: 2 });
    expect(describeTree(arena.into)).toMatchObject({ a: "directory 755", "a/b": "directory 700" });
  });

  test("a leading ./ and an entry for the root itself are fine", async () => {
    using arena = new Arena();
    expect(await arena.unpack(archive(directory("./"), directory("./a/"), file("./a/f", "x")))).toMatchObject({
      entries: 3,
    });
    expect(Object.keys(describeTree(arena.into))).toEqual(["a", "a/f"]);
  });

  test("the mode of the directory itself stays as the caller made it", async () => {
    using arena = new Arena();
    await arena.unpack(archive(directory("./", { mode: 0o777 })));
    expect(lstatSync(arena.into).mode & 0o7777).toBe(0o700);
  });

  test("symlinks that stay inside are kept, those that dangle too", async () => {
    using arena = new Arena();
    const links = { "a/up": "../f", "a/b/root": "../..", "a/dangling": "missing/x", "a/here": "./b/", self: "self" };
    const parts = Object.entries(links).map(([path, target]) => symlink(path, target));
    expect(await arena.unpack(archive(directory("a"), directory("a/b"), ...parts))).toMatchObject({ entries: 7 });
    for (const [path, target] of Object.entries(links)) {
      expect(readlinkSync(join(arena.into, path))).toBe(target);
    }
  });

  test("a hard link shares the file it links to, also when that is a hard link", async () => {
    using arena = new Arena();
    await arena.unpack(archive(file("d/f", "x"), hardlink("l", "./d/f"), hardlink("m", "l")));
    expect(lstatSync(join(arena.into, "l")).ino).toBe(lstatSync(join(arena.into, "d/f")).ino);
    expect(lstatSync(join(arena.into, "m")).nlink).toBe(3);
  });

  test("names that differ in case, hold backslashes or letters of any script are kept", async () => {
    using arena = new Arena();
    const names = ["Foo", "foo", "dev\\x2dsda.mount", "C:", "naïve", "日本語", "🚀", "...", "..a", "-rf", " "];
    await arena.unpack(archive(...names.map((name) => file(name, name))));
    expect(Object.keys(describeTree(arena.into))).toEqual(names.toSorted());
  });

  test("long names are read in all three forms", async () => {
    using arena = new Arena();
    await arena.unpack(
      archive(
        pax(paxRecord("path", long("p")) + paxRecord("comment", "two\nlines")),
        file("short", "x"),
        gnuLong("L", long("g")),
        file("short", "y", { format: "gnu" }),
        file("u".repeat(90), "z", { prefix: `${"u".repeat(100)}/${"u".repeat(54)}` }),
        gnuLong("K", long("g")),
        symlink("link", "short"),
      ),
    );
    expect(readFileSync(join(arena.into, long("p")), "utf8")).toBe("x");
    expect(readFileSync(join(arena.into, "link"), "utf8")).toBe("y");
    expect(readFileSync(join(arena.into, "u".repeat(100), "u".repeat(54), "u".repeat(90)), "utf8")).toBe("z");
  });

  test("a long name in letters of several bytes is read whole, wherever the chunks are cut", async () => {
    using arena = new Arena();
    const name = "é".repeat(120);
    const filler = file("filler", Buffer.alloc(64 * 1024 - 2 * 512 - 512 - 201));
    await arena.unpack(archive(filler, pax(paxRecord("path", name)), file("short", "x")));
    expect(readFileSync(join(arena.into, name), "utf8")).toBe("x");
  });

  test("old archives without a magic, and numbers in base 256, are read", async () => {
    using arena = new Arena();
    const base256 = Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3]);
    const bytes = archive(
      file("v7", "x", { format: "v7", type: "\0" }),
      header({ name: "big", rawSize: base256 }),
      content("abc"),
    );
    expect(await arena.unpack(bytes)).toMatchObject({ entries: 2, bytes: 4 });
  });

  test("the bytes that fill up the last record are fine", async () => {
    using arena = new Arena();
    expect(await arena.unpack(Buffer.concat([archive(file("f", "x")), Buffer.alloc(10_240)]))).toMatchObject({
      kind: "unpacked",
    });
  });

  test("an archive with no entries is an empty tree", async () => {
    using arena = new Arena();
    expect(await arena.unpack(END)).toEqual({ kind: "unpacked", entries: 0, bytes: 0 });
  });

  test.if(isRoot)(
    "as root, everything is given to the owner that was asked for, but the directory itself",
    async () => {
      using arena = new Arena();
      const bytes = archive(file("d/f", "x"), symlink("l", "d/f"), directory("e"), hardlink("h", "d/f"));
      await arena.unpack(bytes, { owner: { uid: 1234, gid: 2345 } });
      for (const name of ["d", "d/f", "l", "e", "h"]) {
        const found = lstatSync(join(arena.into, name));
        expect([name, found.uid, found.gid]).toEqual([name, 1234, 2345]);
      }
      expect(lstatSync(arena.into).uid).toBe(0);
    },
  );

  test.each([0o077, 0o111, 0o000])("the process's umask %p changes nothing", async (umask) => {
    using arena = new Arena();
    const before = process.umask(umask);
    try {
      const files = [file("d/e", "x", { mode: 0o644 }), file("d/f", "x", { mode: 0o755 }), file("implied/f", "x")];
      await arena.unpack(archive(directory("d"), ...files));
    } finally {
      process.umask(before);
    }
    expect(describeTree(arena.into)).toMatchObject({ d: "directory 755", implied: "directory 755" });
    const modeOf = (name: string): number => lstatSync(join(arena.into, name)).mode & 0o777;
    expect([modeOf("d/e"), modeOf("d/f")]).toEqual([0o644, 0o755]);
  });
});

describe("archives of other programs", () => {
  for (const [name, options] of [
    ["GNU tar", ["--format=gnu"]],
    ["GNU tar in pax", ["--format=pax"]],
    ["GNU tar in ustar", ["--format=ustar"]],
    ["GNU tar with zstd", ["--zstd"]],
    ["GNU tar with gzip", ["--gzip"]],
  ] as const) {
    test(`${name}: the tree is the same`, async () => {
      using scratch = new Scratch();
      const parent = "l".repeat(90);
      mkdirSync(scratch.at("tree", parent), { recursive: true });
      mkdirSync(scratch.at("tree", "empty"));
      writeFileSync(scratch.at("tree", parent, `${parent}é`), "x");
      writeFileSync(scratch.at("tree", "run"), "#!/bin/sh\n", { mode: 0o755 });
      writeFileSync(scratch.at("tree", "big"), Buffer.alloc(300_000, "big "));
      symlinkSync(`../${parent}`, scratch.at("tree", "empty", "link"));
      mkdirSync(scratch.at("into"));
      run(["tar", ...options, "-cf", scratch.at("archive"), "-C", scratch.at("tree"), "."], scratch.path);
      await unpackArchive({
        archive: scratch.at("archive"),
        into: scratch.at("into"),
        limits: LIMITS,
        signal: never(),
      });
      expect(describeTree(scratch.at("into"))).toEqual(describeTree(scratch.at("tree")));
    });
  }
});

describe("archives of node-tar", () => {
  test("the tree is the same, and ours is the same to node-tar", async () => {
    using scratch = new Scratch();
    mkdirSync(scratch.at("tree", "d".repeat(120)), { recursive: true });
    writeFileSync(scratch.at("tree", "d".repeat(120), "é".repeat(90)), "x");
    writeFileSync(scratch.at("tree", "run"), "#!/bin/sh\n", { mode: 0o755 });
    symlinkSync("run", scratch.at("tree", "link"));
    const expected = describeTree(scratch.at("tree"));
    createTar({ sync: true, gzip: true, file: scratch.at("theirs"), cwd: scratch.at("tree") }, ["."]);
    mkdirSync(scratch.at("into"));
    await unpackArchive({ archive: scratch.at("theirs"), into: scratch.at("into"), limits: LIMITS, signal: never() });
    expect(describeTree(scratch.at("into"))).toEqual(expected);
    const packed = await packDirectory({ dir: scratch.at("tree"), out: scratch.at("ours") });
    mkdirSync(scratch.at("back"));
    writeFileSync(scratch.at("ours.tar"), zstdDecompressSync(readFileSync(packed.path)));
    extractTar({ sync: true, strict: true, file: scratch.at("ours.tar"), cwd: scratch.at("back") });
    expect(describeTree(scratch.at("back"))).toEqual(expected);
  });
});

describe("unpacking is refused", () => {
  for (const [name, prepare, why] of [
    ["into a directory with content", (into: string) => writeFileSync(join(into, "f"), "x"), "is not empty"],
    ["into a directory with a hidden file", (into: string) => mkdirSync(join(into, ".x")), "is not empty"],
    ["into nothing", (into: string) => rmSync(into, { recursive: true }), "does not exist"],
    [
      "into a symlink",
      (into: string) => {
        rmSync(into, { recursive: true });
        symlinkSync("../outside", into);
      },
      "is not a directory",
    ],
  ] as const) {
    test(name, async () => {
      using arena = new Arena();
      prepare(arena.into);
      const outcome = await arena.unpack(archive(file("victim", "evil")));
      expect(outcome).toMatchObject({ kind: "refused", code: "internal" });
      expect(outcome.kind === "refused" ? outcome.message : "").toContain(why);
      expect(arena.escapes()).toEqual([]);
    });
  }

  test("when the signal aborts, also in the middle", async () => {
    using arena = new Arena();
    const bytes = archive(file("f", "x"));
    expect(await arena.unpack(bytes, { signal: AbortSignal.abort() })).toMatchObject({ code: "aborted" });
    const entries = Array.from({ length: 20_000 }, (_, index) => header({ name: `f${index}` }));
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), 20);
    const limits = { maxBytes: 1, maxEntries: 20_000 };
    expect(await arena.unpack(archive(...entries), { signal: abort.signal, limits })).toMatchObject({
      code: "aborted",
    });
    clearTimeout(timer);
  });
});

describe("while unpacking", () => {
  test("the event loop gets its turns, however slow the disk is", async () => {
    using arena = new Arena();
    const entries = Array.from({ length: 3_000 }, (_, index) => header({ name: `d${index % 50}/f${index}` }));
    let turns = 0;
    const ticker = setInterval(() => {
      turns += 1;
    }, 1);
    const beganAt = performance.now();
    const outcome = await arena.unpack(archive(...entries));
    const elapsedMs = performance.now() - beganAt;
    clearInterval(ticker);
    expect(outcome).toMatchObject({ entries: 3_000 });
    // A turn each 10 ms is the aim, and a single call to a slow disk may take longer.
    expect(turns).toBeGreaterThan(elapsedMs / 50);
  }, 30_000);

  test.if(isRoot)("a full disk is reported with the path and the bytes", async () => {
    using scratch = new Scratch();
    mkdirSync(scratch.at("small"));
    run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", scratch.at("small")], scratch.path);
    try {
      mkdirSync(scratch.at("small", "into"));
      writeFileSync(scratch.at("archive"), archive(file("a", Buffer.alloc(600_000)), file("b", Buffer.alloc(600_000))));
      const error = await deployErrorOf(
        unpackArchive({
          archive: scratch.at("archive"),
          into: scratch.at("small", "into"),
          limits: LIMITS,
          signal: never(),
        }),
      );
      expect(error.code).toBe("disk-full");
      expect(error.message).toContain(scratch.at("small", "into", "b"));
      expect(error.message).toMatch(/failed after (6|7|8|9|10)\d{5} bytes/);
    } finally {
      run(["umount", scratch.at("small")], scratch.path);
    }
  });

  test.if(isRoot)("a file system without inodes is a full disk", async () => {
    using scratch = new Scratch();
    mkdirSync(scratch.at("small"));
    run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=5", "tmpfs", scratch.at("small")], scratch.path);
    try {
      mkdirSync(scratch.at("small", "into"));
      const files = Array.from({ length: 9 }, (_, index) => file(`d${index}/f`));
      writeFileSync(scratch.at("archive"), archive(...files));
      const error = await deployErrorOf(
        unpackArchive({
          archive: scratch.at("archive"),
          into: scratch.at("small", "into"),
          limits: LIMITS,
          signal: never(),
        }),
      );
      expect(error.code).toBe("disk-full");
    } finally {
      run(["umount", scratch.at("small")], scratch.path);
    }
  });
});

describe("flushing a tree", () => {
  test("succeeds for a directory", async () => {
    using scratch = new Scratch();
    writeFileSync(scratch.at("f"), "x");
    expect(await syncTree(scratch.path)).toBeUndefined();
  });

  test("fails for what is not there", async () => {
    using scratch = new Scratch();
    expect((await deployErrorOf(syncTree(scratch.at("missing")))).code).toBe("internal");
  });
});
