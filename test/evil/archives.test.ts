import { describe, expect, test } from "bun:test";
import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { Arena } from "./arena.ts";
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
} from "./tar_builder.ts";

const BASE256_NEGATIVE = Buffer.alloc(12, 0xff);
const BASE256_HUGE = Buffer.from([0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
const BASE256_8GIB = Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);

const HOSTILE: Record<string, Uint8Array> = {
  "a name that climbs out": archive(file("../victim", "evil")),
  "a name that climbs out from within": archive(file("a/../../../victim", "evil")),
  "a name that climbs but stays inside": archive(directory("a"), file("a/../b", "x")),
  "a name that is two dots": archive(directory("..")),
  "an absolute name": archive(file("/tmp/deployd-evil-absolute", "evil")),
  "an absolute name of two slashes": archive(file("//tmp/deployd-evil-absolute", "evil")),
  "an empty name": archive(header({ name: "" })),
  "a file in the place of the root": archive(file("./", "x")),
  "a symlink in the place of the root": archive(symlink(".", "..")),
  "a name with an empty segment": archive(file("a//b", "x")),
  "a name with a dot segment": archive(file("a/./b", "x")),
  "a file whose name ends in a slash": archive(file("a/", "x")),
  "a file with data whose name ends in a slash, from before ustar": archive(file("a/", "x", { format: "v7" })),
  "a name with an escape sequence": archive(file("a\u001b[2Jb", "x")),
  "a name with a newline": archive(file("a\nb", "x")),
  "a name with a C1 control": archive(file("a\u009bb", "x")),
  "a name that is not UTF-8": archive(file(Buffer.from([0x61, 0xff, 0x62]), "x")),
  "a name part beyond 255 bytes": archive(pax(paxRecord("path", "n".repeat(256))), file("n", "x")),
  "a name beyond 3072 bytes": archive(pax(paxRecord("path", "d/".repeat(1_600) + "f")), file("n", "x")),
  "the reserved name": archive(file(".deployd", "x")),
  "a file below the reserved name": archive(file(".deployd/manifest.json", "x")),
  "the reserved name behind a dot": archive(directory("./.deployd")),
  "a symlink of the reserved name": archive(symlink(".deployd", "a")),
  "a symlink to an absolute path": archive(symlink("link", "/etc/passwd")),
  "a symlink out of the tree": archive(symlink("link", "../../victim")),
  "a symlink to the parent of the tree": archive(symlink("link", "..")),
  "a symlink out of the tree from a directory": archive(directory("a"), symlink("a/link", "../../x")),
  "a symlink that climbs behind a name": archive(directory("a"), symlink("link", "a/../..")),
  "a symlink to nothing": archive(symlink("link", "")),
  "a symlink with a newline in its target": archive(symlink("link", "a\nb")),
  "a file written through a symlink": archive(symlink("link", "."), file("link/x", "evil")),
  "a file written through an outward symlink": archive(symlink("link", "../../outside"), file("link/victim", "evil")),
  "a directory made through a symlink": archive(directory("a"), symlink("link", "a"), directory("link/b")),
  "a file in the place of a symlink": archive(symlink("link", "a"), file("link", "evil")),
  "a directory in the place of a symlink": archive(directory("a"), symlink("link", "a"), directory("link")),
  "a chain of symlinks that climbs": archive(
    directory("a"),
    symlink("a/b", "."),
    symlink("c", "a/b/../.."),
    file("c/victim", "evil"),
  ),
  "a chain of symlinks, each one level": archive(directory("a"), symlink("a/up", ".."), symlink("out", "a/up/..")),
  "a symlink whose parent is a symlink": archive(
    directory("a"),
    directory("a/b"),
    symlink("s", "a/b"),
    symlink("s/up", "../.."),
  ),
  "a hard link out of the tree": archive(hardlink("link", "../../victim")),
  "a hard link to an absolute path": archive(hardlink("link", "/etc/passwd")),
  "a hard link to a symlink": archive(symlink("s", "a"), hardlink("link", "s")),
  "a hard link through a symlink": archive(directory("a"), file("a/f", "x"), symlink("s", "a"), hardlink("l", "s/f")),
  "a hard link to a directory": archive(directory("a"), hardlink("link", "a")),
  "a hard link to what comes later": archive(hardlink("link", "f"), file("f", "x")),
  "a hard link to itself": archive(hardlink("link", "link")),
  "a hard link with data": archive(
    file("f", "x"),
    header({ name: "l", type: "1", target: "f", size: 3 }),
    content("abc"),
  ),
  "a symlink with data": archive(header({ name: "l", type: "2", target: "f", size: 3 }), content("abc")),
  "a directory with data": archive(directory("d", { size: 512 }), file("smuggled", "")),
  "a character device": archive(header({ name: "null", type: "3" })),
  "a block device": archive(header({ name: "sda", type: "4" })),
  "a fifo": archive(header({ name: "pipe", type: "6" })),
  "a contiguous file": archive(file("f", "x", { type: "7" })),
  "a sparse file": archive(file("f", "x", { type: "S", format: "gnu" })),
  "a sparse file by pax": archive(pax(paxRecord("GNU.sparse.major", "1")), file("f", "x")),
  "a volume label": archive(header({ name: "label", type: "V", format: "gnu" })),
  "an unknown type": archive(header({ name: "f", type: "Z" })),
  "a type that is an escape": archive(header({ name: "f", type: "\u001b" })),
  "the same file twice": archive(file("f", "one"), file("f", "two")),
  "the same file behind a dot": archive(file("f", "one"), file("./f", "two")),
  "a file in the place of a directory": archive(directory("d"), file("d", "x")),
  "a file in the place of an implied directory": archive(file("d/f", "x"), file("d", "x")),
  "a directory in the place of a file": archive(file("d", "x"), directory("d")),
  "a file below a file": archive(file("d", "x"), file("d/f", "x")),
  "a pax path that climbs": archive(pax(paxRecord("path", "../../victim")), file("harmless", "evil")),
  "a pax path that is absolute": archive(pax(paxRecord("path", "/etc/evil")), file("harmless", "evil")),
  "a pax path with a NUL": archive(pax(paxRecord("path", "ok\0evil")), file("f", "x")),
  "a pax path of nothing": archive(pax(paxRecord("path", "")), file("f", "x")),
  "a pax path with a newline": archive(pax(paxRecord("path", "a\nb")), file("f", "x")),
  "two pax paths": archive(pax(paxRecord("path", "a") + paxRecord("path", "b")), file("f", "x")),
  "a pax link target out of the tree": archive(pax(paxRecord("linkpath", "../../victim")), symlink("l", "f")),
  "a path in a global pax header": archive(pax(paxRecord("path", "a"), "g"), file("f", "x")),
  "a size in a global pax header": archive(pax(paxRecord("size", "0"), "g"), file("f", "x")),
  "a pax path and a GNU long name": archive(pax(paxRecord("path", "a")), gnuLong("L", "b"), file("f", "x")),
  "two GNU long names": archive(gnuLong("L", "a"), gnuLong("L", "b"), file("f", "x")),
  "a GNU long name that climbs": archive(gnuLong("L", `${"a/".repeat(60)}${"../".repeat(70)}victim`), file("f", "x")),
  "a GNU long name with a NUL": archive(gnuLong("L", "a\0b"), file("f", "x")),
  "a GNU long target out of the tree": archive(gnuLong("K", "../../victim"), symlink("l", "f")),
  "a ustar prefix that climbs": archive(file("victim", "evil", { prefix: "../.." })),
  "a ustar prefix that is absolute": archive(file("victim", "evil", { prefix: "/tmp" })),
  "a size beyond the limit": archive(header({ name: "f", rawSize: BASE256_8GIB })),
  "a pax size beyond the limit": archive(pax(paxRecord("size", "999999999999")), header({ name: "f" })),
};

const INVALID: Record<string, Uint8Array> = {
  "nothing at all": Buffer.alloc(0),
  "less than a block": Buffer.from("ustar"),
  text: Buffer.from("<html>not found</html>".repeat(100)),
  "no end": file("f", "x"),
  "one zero block at the end": Buffer.concat([file("f", "x"), Buffer.alloc(512)]),
  "one zero block in the middle": Buffer.concat([file("f", "x"), Buffer.alloc(512), archive(file("g", "x"))]),
  "garbage after the end": Buffer.concat([archive(file("f", "x")), Buffer.alloc(512, "x")]),
  "an archive after the end": Buffer.concat([archive(file("f", "x")), archive(file("g", "x"))]),
  "half a block after the end": Buffer.concat([archive(file("f", "x")), Buffer.alloc(100)]),
  "a wrong checksum": archive(header({ name: "f", checksum: "000001\0 " })),
  "a checksum that is no number": archive(header({ name: "f", checksum: "xxxxxxxx" })),
  "a negative size": archive(header({ name: "f", rawSize: BASE256_NEGATIVE })),
  "a size beyond 2^53": archive(header({ name: "f", rawSize: BASE256_HUGE })),
  "a size that is no number": archive(header({ name: "f", rawSize: "0x10" })),
  "a negative pax size": archive(pax(paxRecord("size", "-1")), file("f", "x")),
  "a pax size that is no number": archive(pax(paxRecord("size", "1e3")), file("f", "x")),
  "a pax record with a length beyond its header": archive(pax("99 path=evil\n"), file("f", "x")),
  "a pax record with a length that cuts it": archive(pax("9 path=evil\n"), file("f", "x")),
  "a pax record of length zero": archive(pax("0 path=evil\n"), file("f", "x")),
  "a pax record without a length": archive(pax("path=evil\n"), file("f", "x")),
  "a pax record without a key": archive(pax("5 =x\n"), file("f", "x")),
  "a pax header of nothing": archive(header({ name: "pax", type: "x" }), file("f", "x")),
  "a pax header beyond 64 KiB": archive(pax(paxRecord("comment", "c".repeat(70_000))), file("f", "x")),
  "a pax header for nothing": archive(pax(paxRecord("path", "a"))),
  xz: Buffer.concat([Buffer.from("fd377a585a0000", "hex"), Buffer.alloc(600)]),
  zip: Buffer.concat([Buffer.from("PK\u0003\u0004"), Buffer.alloc(600)]),
  "only gzip's magic": Buffer.from("1f8b", "hex"),
  "only zstd's magic": Buffer.from("28b52ffd", "hex"),
  "gzip of no tar": gzipSync("hello"),
  "gzip with garbage behind it": Buffer.concat([gzipSync(archive(file("f", "x"))), Buffer.alloc(512, "x")]),
  "gzip with one bit behind its padding": Buffer.concat([
    gzipSync(archive(file("f", "x"))),
    Buffer.alloc(300_000),
    Buffer.from([1]),
  ]),
  "gzip, padding, and gzip again": Buffer.concat([gzipSync(file("f", "x")), Buffer.alloc(512), gzipSync(END)]),
  "zstd with garbage behind it": Buffer.concat([zstdCompressSync(archive(file("f", "x"))), Buffer.from("garbage")]),
};

describe("hostile archives", () => {
  for (const [name, bytes] of Object.entries(HOSTILE)) {
    test(`${name} refuses the archive as hostile, and nothing is outside`, async () => {
      using arena = new Arena();
      const outcome = await arena.unpack(bytes);
      expect(outcome).toMatchObject({ kind: "refused", code: "archive-hostile" });
      expect(arena.escapes()).toEqual([]);
      expect(existsSync("/tmp/deployd-evil-absolute")).toBe(false);
    });
  }
});

const HONEST: Record<string, readonly [bytes: Uint8Array, entries: number]> = {
  "the same directory twice": [archive(directory("d"), file("d/f", "x"), directory("d/")), 3],
  "a directory that is implied, named, and named again": [archive(file("d/f", "x"), directory("d"), directory("d")), 3],
  "a directory of no name but a slash for the root": [archive(directory("/"), file("f", "x")), 2],
  "a directory as it was written before ustar": [archive(file("d/", "", { format: "v7" }), file("d/f", "x")), 2],
  "names that begin as other formats do": [
    archive(file("]", "x"), file("070701", "x"), file("BZh9", "x"), file("<html>", "x")),
    4,
  ],
  "a first name that begins as cpio does": [archive(directory("070701"), file("070701/f", "x")), 2],
  "a first name that begins as bzip2 does": [archive(file("BZhang", "x")), 1],
  "a first name that begins as a web page does": [archive(file("<html>", "x")), 1],
  "gzip padded with zeros": [Buffer.concat([gzipSync(archive(file("f", "x"))), Buffer.alloc(300_000)]), 1],
  "zstd padded with zeros": [Buffer.concat([zstdCompressSync(archive(file("f", "x"))), Buffer.alloc(10_239)]), 1],
};

describe("odd but honest archives", () => {
  for (const [name, [bytes, entries]] of Object.entries(HONEST)) {
    test(`${name} is unpacked`, async () => {
      using arena = new Arena();
      expect(await arena.unpack(bytes)).toMatchObject({ kind: "unpacked", entries });
      expect(arena.escapes()).toEqual([]);
    });
  }

  test("the mode that a directory is named with last is its mode", async () => {
    using arena = new Arena();
    await arena.unpack(archive(directory("d", { mode: 0o700 }), directory("d", { mode: 0o755 })));
    expect(lstatSync(join(arena.into, "d")).mode & 0o7777).toBe(0o755);
  });
});

describe("broken archives", () => {
  for (const [name, bytes] of Object.entries(INVALID)) {
    test(`${name} is refused as invalid`, async () => {
      using arena = new Arena();
      expect(await arena.unpack(bytes)).toMatchObject({ kind: "refused", code: "archive-invalid" });
      expect(arena.escapes()).toEqual([]);
    });
  }

  test("a frame that wants more memory than the zstd program allows is told what to do", async () => {
    using arena = new Arena();
    // RFC 8878, 3.1.1.1: no content size, a window of 2^28 bytes, one empty last block.
    expect(await arena.unpack(Buffer.from("28b52ffd0090010000", "hex"))).toMatchObject({
      code: "archive-invalid",
      hint: "Compress it by zstd with --long=27 at most.",
    });
  });

  const whole = Buffer.concat([
    directory("d"),
    pax(paxRecord("path", "d/first")),
    file("f", "x".repeat(1_300)),
    gnuLong("L", "d/second"),
    file("f", "y".repeat(512)),
    symlink("l", "d/first"),
    END,
  ]);

  test("an archive cut at any block boundary, or anywhere between, is refused as invalid", async () => {
    for (let cut = 0; cut < whole.length; cut += 256) {
      using arena = new Arena();
      expect({ cut, ...(await arena.unpack(whole.subarray(0, cut))) }).toMatchObject({
        cut,
        kind: "refused",
        code: "archive-invalid",
      });
    }
    using arena = new Arena();
    expect(await arena.unpack(whole)).toMatchObject({ kind: "unpacked", entries: 4 });
  });

  test("a compressed archive cut anywhere is refused as invalid", async () => {
    for (const compressed of [gzipSync(whole), zstdCompressSync(whole)]) {
      for (let cut = 0; cut < compressed.length - 8; cut += 7) {
        using arena = new Arena();
        expect(await arena.unpack(compressed.subarray(0, cut))).toMatchObject({ code: "archive-invalid" });
      }
    }
  });
});

describe("bombs", () => {
  test("200 MiB of zeros in a few kB stop at the size limit, before a byte of it is written", async () => {
    const zeros = 200 * 1024 * 1024;
    const bomb = zstdCompressSync(Buffer.concat([header({ name: "bomb", size: zeros }), Buffer.alloc(zeros), END]));
    expect(bomb.length).toBeLessThan(zeros / 20_000);
    using arena = new Arena();
    const limits = { maxBytes: 1024 * 1024, maxEntries: 10 };
    expect(await arena.unpack(bomb, { limits })).toMatchObject({ kind: "refused", code: "archive-hostile" });
    expect(readdirSync(arena.into)).toEqual([]);
  });

  test("many files stop at the size limit together", async () => {
    using arena = new Arena();
    const files = Array.from({ length: 11 }, (_, index) => file(`f${index}`, Buffer.alloc(1_000)));
    const outcome = await arena.unpack(archive(...files), { limits: { maxBytes: 10_000, maxEntries: 100 } });
    expect(outcome).toMatchObject({ code: "archive-hostile" });
    expect(readdirSync(arena.into)).toHaveLength(10);
  });

  test("100,000 entries stop at the entry limit", async () => {
    using arena = new Arena();
    const entries = Array.from({ length: 100_000 }, (_, index) => header({ name: `f${index}` }));
    const outcome = await arena.unpack(zstdCompressSync(archive(...entries)), {
      limits: { maxBytes: 1_000, maxEntries: 500 },
    });
    expect(outcome).toMatchObject({ code: "archive-hostile" });
    expect(readdirSync(arena.into)).toHaveLength(500);
  });

  test("endless zeros behind the end stop", async () => {
    using arena = new Arena();
    const bytes = zstdCompressSync(Buffer.concat([archive(file("f", "x")), Buffer.alloc(64 * 1024 * 1024)]));
    expect(await arena.unpack(bytes, { limits: { maxBytes: 1, maxEntries: 1 } })).toMatchObject({
      code: "archive-hostile",
    });
  });

  test("endless extended headers stop", async () => {
    using arena = new Arena();
    const comments = Array.from({ length: 200 }, () => pax(paxRecord("comment", "c".repeat(60_000)), "g"));
    const bytes = zstdCompressSync(archive(...comments, file("f", "x")));
    expect(await arena.unpack(bytes, { limits: { maxBytes: 1, maxEntries: 1 } })).toMatchObject({
      code: "archive-hostile",
    });
  });

  test("an archive that fits its limits exactly is unpacked", async () => {
    using arena = new Arena();
    const bytes = archive(directory("d"), file("d/f", "12345"));
    expect(await arena.unpack(bytes, { limits: { maxBytes: 5, maxEntries: 2 } })).toEqual({
      kind: "unpacked",
      entries: 2,
      bytes: 5,
    });
  });
});

describe("messages about hostile archives", () => {
  test("name the entry, with its control characters escaped", async () => {
    using arena = new Arena();
    const outcome = await arena.unpack(archive(file("a\u001b]0;owned\u0007\nb", "x")));
    expect(outcome).toMatchObject({
      message:
        'Cannot unpack "a\\x1b]0;owned\\x07\\x0ab": the name holds control characters. The whole archive is refused.',
    });
  });

  test("escape the target of a link too", async () => {
    using arena = new Arena();
    const outcome = await arena.unpack(archive(hardlink("l", "/a\u001b[2J\nb")));
    expect(outcome.kind === "refused" ? outcome.message : "").not.toMatch(/[\u0000-\u001f]/);
    const second = await arena.unpack(archive(hardlink("l", "/a\u202eb")));
    expect(second.kind === "refused" ? second.message : "").toContain("\\u202e");
  });
});

describe("what an accepted archive cannot do", () => {
  test("setuid, setgid, sticky and the write bits of others are gone", async () => {
    using arena = new Arena();
    const bytes = archive(
      file("f", "x", { mode: 0o7777 }),
      directory("d", { mode: 0o7777 }),
      file("s", "", { mode: 0 }),
    );
    expect(await arena.unpack(bytes)).toMatchObject({ kind: "unpacked" });
    expect(lstatSync(join(arena.into, "f")).mode & 0o7777).toBe(0o755);
    expect(lstatSync(join(arena.into, "d")).mode & 0o7777).toBe(0o755);
    expect(lstatSync(join(arena.into, "s")).mode & 0o7777).toBe(0o400);
  });

  test("the archive's owners are ignored", async () => {
    using arena = new Arena();
    await arena.unpack(archive(file("f", "x", { uid: 12_345, gid: 12_345 })));
    const found = lstatSync(join(arena.into, "f"));
    expect([found.uid, found.gid]).toEqual([process.geteuid?.() ?? -1, process.getegid?.() ?? -1]);
  });

  test("a body that looks like a header stays a body", async () => {
    using arena = new Arena();
    const smuggled = file("smuggled", "x");
    expect(await arena.unpack(archive(file("f", smuggled), file("g", "x")))).toMatchObject({ entries: 2 });
    expect(readdirSync(arena.into).sort()).toEqual(["f", "g"]);
    expect(readFileSync(join(arena.into, "f")).equals(smuggled)).toBe(true);
  });
});
