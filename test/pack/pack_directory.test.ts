import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { deployErrorOf, never, Scratch } from "../fetch/scratch.ts";
import { describeTree } from "../fetch/tree.ts";
import { digestOfFile, unpackArchive, packDirectory } from "../harness/real_time.ts";

function sampleTree(scratch: Scratch): string {
  const root = scratch.at("tree");
  mkdirSync(`${root}/bin`, { recursive: true });
  mkdirSync(`${root}/empty`);
  mkdirSync(`${root}/${"deep/".repeat(40)}`, { recursive: true });
  writeFileSync(`${root}/bin/run`, "#!/bin/sh\n", { mode: 0o755 });
  writeFileSync(`${root}/${"n".repeat(200)}`, "long name");
  writeFileSync(`${root}/${"deep/".repeat(40)}日本語`, "deep");
  writeFileSync(`${root}/empty-file`, "");
  writeFileSync(`${root}/block`, Buffer.alloc(512, "b"));
  writeFileSync(`${root}/big`, Buffer.alloc(900_001, "big "));
  symlinkSync("bin/run", `${root}/start`);
  symlinkSync("n".repeat(200), `${root}/long-link`);
  symlinkSync("../missing", `${root}/bin/dangling`);
  utimesSync(`${root}/bin/run`, 1_234_567_890, 1_234_567_890);
  return root;
}

describe("packing a directory", () => {
  test("gives an archive that unpacks to the same tree, with exact numbers", async () => {
    using scratch = new Scratch();
    const root = sampleTree(scratch);
    const packed = await packDirectory({ dir: root, out: scratch.at("build.tar.zst") });
    const { digest, bytes } = await digestOfFile(packed.path);
    expect(packed).toMatchObject({ path: scratch.at("build.tar.zst"), digest, size: bytes });
    mkdirSync(scratch.at("into"));
    const unpacked = await unpackArchive({
      archive: packed.path,
      into: scratch.at("into"),
      limits: { maxBytes: packed.unpackedBytes, maxEntries: packed.entries },
      signal: never(),
    });
    expect(unpacked).toMatchObject({ entries: packed.entries, bytes: packed.unpackedBytes });
    expect(describeTree(scratch.at("into"))).toEqual(describeTree(root));
  });

  test("gives the same bytes each time, and again from what was unpacked", async () => {
    using scratch = new Scratch();
    const root = sampleTree(scratch);
    const first = await packDirectory({ dir: root, out: scratch.at("one") });
    utimesSync(`${root}/bin`, 5, 5);
    chmodSync(`${root}/block`, 0o600);
    chmodSync(`${root}/empty`, 0o700);
    const second = await packDirectory({ dir: `${root}/bin/..`, out: scratch.at("two") });
    expect(second.digest).toBe(first.digest);
    mkdirSync(scratch.at("into"));
    const limits = { maxBytes: 10_000_000, maxEntries: 1_000 };
    await unpackArchive({ archive: first.path, into: scratch.at("into"), limits, signal: never() });
    const third = await packDirectory({ dir: scratch.at("into"), out: scratch.at("three") });
    expect(third.digest).toBe(first.digest);
  });

  test("gives other bytes when a file's content or mtime changes", async () => {
    using scratch = new Scratch();
    const root = sampleTree(scratch);
    const first = await packDirectory({ dir: root, out: scratch.at("one") });
    utimesSync(`${root}/bin/run`, 1_234_567_891, 1_234_567_891);
    const second = await packDirectory({ dir: root, out: scratch.at("two") });
    expect(second.digest).not.toBe(first.digest);
  });

  test("is read by GNU tar as the same tree", async () => {
    using scratch = new Scratch();
    const root = sampleTree(scratch);
    const packed = await packDirectory({ dir: root, out: scratch.at("build") });
    mkdirSync(scratch.at("into"));
    const tar = Bun.spawnSync(["tar", "--zstd", "-xf", packed.path, "-C", scratch.at("into")]);
    expect(tar.stderr.toString()).toBe("");
    expect(describeTree(scratch.at("into"))).toEqual(describeTree(root));
  });

  test("takes hidden files, and each name of a file with two names", async () => {
    using scratch = new Scratch();
    mkdirSync(scratch.at("tree"));
    writeFileSync(scratch.at("tree", ".env"), "A=1");
    linkSync(scratch.at("tree", ".env"), scratch.at("tree", "second"));
    const packed = await packDirectory({ dir: scratch.at("tree"), out: scratch.at("build") });
    expect(packed).toMatchObject({ entries: 2, unpackedBytes: 6 });
  });

  test("replaces what stands at the place", async () => {
    using scratch = new Scratch();
    mkdirSync(scratch.at("tree"));
    writeFileSync(scratch.at("build"), "old");
    const packed = await packDirectory({ dir: scratch.at("tree"), out: scratch.at("build") });
    expect(statSync(scratch.at("build")).size).toBe(packed.size);
    expect(readdirSync(scratch.path).sort()).toEqual(["build", "tree"]);
  });
});

describe("packing is refused", () => {
  const cases: [name: string, prepare: (root: string) => void, named: string, code: string][] = [
    ["a symlink out of the tree", (root) => symlinkSync("../x", `${root}/out`), "out", "archive-hostile"],
    ["an absolute symlink", (root) => symlinkSync("/etc/passwd", `${root}/abs`), "abs", "archive-hostile"],
    ["a symlink that climbs behind a name", (root) => symlinkSync("a/../..", `${root}/c`), "c", "archive-hostile"],
    ["the reserved name", (root) => mkdirSync(`${root}/.deployd`), ".deployd", "archive-hostile"],
    ["a name with a newline", (root) => writeFileSync(`${root}/a\nb`, ""), "a\\x0ab", "archive-hostile"],
    ["a fifo", (root) => void Bun.spawnSync(["mkfifo", `${root}/pipe`]), "pipe", "archive-hostile"],
  ];
  for (const [name, prepare, named, code] of cases) {
    test(`${name} is named, and nothing is left at the place`, async () => {
      using scratch = new Scratch();
      mkdirSync(scratch.at("tree"));
      writeFileSync(scratch.at("tree", "0"), Buffer.alloc(400_000));
      prepare(scratch.at("tree"));
      const error = await deployErrorOf(packDirectory({ dir: scratch.at("tree"), out: scratch.at("build") }));
      expect(error.code).toBe(code as typeof error.code);
      expect(error.message).toContain(`Cannot pack "${named}"`);
      expect(readdirSync(scratch.path)).toEqual(["tree"]);
    });
  }

  test("a socket is named", async () => {
    using scratch = new Scratch();
    mkdirSync(scratch.at("tree"));
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(scratch.at("tree", "socket"), resolve));
    try {
      const error = await deployErrorOf(packDirectory({ dir: scratch.at("tree"), out: scratch.at("build") }));
      expect(error.message).toContain('Cannot pack "socket"');
    } finally {
      server.close();
    }
  });

  test("into the directory itself, and what was there before is kept", async () => {
    using scratch = new Scratch();
    mkdirSync(scratch.at("tree", "sub"), { recursive: true });
    for (const out of [scratch.at("tree", "build"), scratch.at("tree", "sub", "build")]) {
      expect((await deployErrorOf(packDirectory({ dir: scratch.at("tree"), out }))).code).toBe("usage");
      expect(existsSync(out)).toBe(false);
    }
  });

  test("of nothing, and of a file", async () => {
    using scratch = new Scratch();
    writeFileSync(scratch.at("file"), "x");
    for (const dir of [scratch.at("missing"), scratch.at("file")]) {
      expect((await deployErrorOf(packDirectory({ dir, out: scratch.at("build") }))).code).toBe("usage");
    }
    expect(readdirSync(scratch.path)).toEqual(["file"]);
  });

  test("when the signal aborts, and what stood at the place is untouched", async () => {
    using scratch = new Scratch();
    mkdirSync(scratch.at("tree"));
    for (let index = 0; index < 200; index += 1) writeFileSync(scratch.at("tree", `f${index}`), Buffer.alloc(300_000));
    writeFileSync(scratch.at("build"), "old");
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), 15);
    const error = await deployErrorOf(
      packDirectory({ dir: scratch.at("tree"), out: scratch.at("build"), signal: abort.signal }),
    );
    clearTimeout(timer);
    expect(error.code).toBe("aborted");
    expect(readFileSync(scratch.at("build"), "utf8")).toBe("old");
    expect(readdirSync(scratch.path).sort()).toEqual(["build", "tree"]);
  });

  test.if(process.geteuid?.() === 0)("when the disk is full, and no half file is left", async () => {
    using scratch = new Scratch();
    mkdirSync(scratch.at("tree"));
    mkdirSync(scratch.at("small"));
    writeFileSync(scratch.at("tree", "noise"), crypto.getRandomValues(new Uint8Array(65_536)));
    for (let index = 0; index < 40; index += 1) {
      writeFileSync(scratch.at("tree", `n${index}`), crypto.getRandomValues(new Uint8Array(65_536)));
    }
    Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", scratch.at("small")]);
    try {
      const error = await deployErrorOf(packDirectory({ dir: scratch.at("tree"), out: scratch.at("small", "build") }));
      expect(error.code).toBe("disk-full");
      expect(readdirSync(scratch.at("small"))).toEqual([]);
    } finally {
      Bun.spawnSync(["umount", scratch.at("small")]);
    }
  });
});
