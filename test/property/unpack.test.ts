import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import * as fc from "fast-check";
import { Arena } from "../evil/arena.ts";
import { archive, directory, file, gnuLong, hardlink, header, pax, paxRecord, symlink } from "../evil/tar_builder.ts";
import { never, Scratch } from "../fetch/scratch.ts";
import { describeTree } from "../fetch/tree.ts";
import { unpackArchive, packDirectory } from "../harness/real_time.ts";

const RUNS = { numRuns: 60 };

type Node =
  | { readonly kind: "file"; readonly bytes: Uint8Array; readonly executable: boolean; readonly mtime: number }
  | { readonly kind: "directory" }
  | { readonly kind: "symlink"; readonly up: boolean; readonly target: string };

const name = fc
  .oneof(
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }),
    fc.constantFrom("a", "b", "c", "lib", "n".repeat(120), "é".repeat(60)),
  )
  .filter(
    (text) => !/[/\u0000-\u001f\u007f-\u009f]/.test(text) && text.isWellFormed() && !["", ".", ".."].includes(text),
  )
  .filter((text) => text !== ".deployd");

const node: fc.Arbitrary<Node> = fc.oneof(
  fc.record({
    kind: fc.constant("file" as const),
    bytes: fc.oneof(fc.uint8Array({ maxLength: 1_600 }), fc.constant(new Uint8Array(200_000))),
    executable: fc.boolean(),
    mtime: fc.integer({ min: 0, max: 4_000_000_000 }),
  }),
  fc.record({ kind: fc.constant("directory" as const) }),
  fc.record({ kind: fc.constant("symlink" as const), up: fc.boolean(), target: name }),
);

const tree = fc.array(fc.tuple(fc.array(name, { minLength: 1, maxLength: 4 }), node), { maxLength: 25 });

/** Makes what can be made of a random list; a path that an earlier one stands in the way of is left out. */
function build(root: string, entries: [string[], Node][]): void {
  mkdirSync(root);
  for (const [segments, found] of entries) {
    const path = `${root}/${segments.join("/")}`;
    try {
      mkdirSync(dirname(path), { recursive: true });
      if (found.kind === "directory") mkdirSync(path);
      else if (found.kind === "symlink") {
        symlinkSync(found.up && segments.length > 1 ? `../${found.target}` : found.target, path);
      } else {
        writeFileSync(path, found.bytes, { flag: "wx" });
        chmodSync(path, found.executable ? 0o755 : 0o644);
        utimesSync(path, found.mtime, found.mtime);
      }
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      if (!["EEXIST", "ENOTDIR", "ENOENT", "ELOOP"].includes(code)) throw error;
    }
  }
}

describe("any tree", () => {
  test("is the same after packing and unpacking, and packs to the same bytes again", async () => {
    await fc.assert(
      fc.asyncProperty(tree, async (entries) => {
        using scratch = new Scratch();
        build(scratch.at("tree"), entries);
        const packed = await packDirectory({ dir: scratch.at("tree"), out: scratch.at("one") });
        mkdirSync(scratch.at("into"));
        const limits = { maxBytes: packed.unpackedBytes, maxEntries: packed.entries };
        const into = scratch.at("into");
        const unpacked = await unpackArchive({ archive: packed.path, into, limits, signal: never() });
        expect(unpacked).toMatchObject({ entries: packed.entries, bytes: packed.unpackedBytes });
        expect(describeTree(into)).toEqual(describeTree(scratch.at("tree")));
        const again = await packDirectory({ dir: into, out: scratch.at("two") });
        expect(again.digest).toBe(packed.digest);
      }),
      RUNS,
    );
  }, 120_000);
});

const evilName = fc.oneof(
  fc.constantFrom("a", "b", "a/b", "a/b/c", "./a", "a/", "..", "../x", "../../victim", "a/../../..", "/tmp/x", "", "."),
  fc.array(fc.constantFrom("a", "b", "..", ".", "", "victim", "outside"), { maxLength: 5 }).map((all) => all.join("/")),
);

/** Entries that mostly make sense alone, so that many archives get far before they are refused. */
const evilPart: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.tuple(evilName, fc.string({ maxLength: 600 })).map(([path, text]) => file(path, text)),
  evilName.map((path) => directory(path)),
  fc.tuple(evilName, evilName).map(([path, target]) => symlink(path, target)),
  fc.tuple(evilName, evilName).map(([path, target]) => hardlink(path, target)),
  evilName.map((path) => pax(paxRecord("path", path))),
  evilName.map((path) => pax(paxRecord("linkpath", path))),
  evilName.map((path) => gnuLong("L", path)),
  evilName.map((path) => gnuLong("K", path)),
  fc.tuple(evilName, fc.constantFrom("3", "4", "6", "7", "S", "Z")).map(([path, type]) => header({ name: path, type })),
);

const HARMLESS = archive(
  directory("a"),
  file("a/f", "x".repeat(700)),
  symlink("a/l", "../b"),
  pax(paxRecord("path", "b")),
  file("short", "y"),
  hardlink("h", "b"),
);

const mutation = fc.record({
  at: fc.nat({ max: HARMLESS.length - 1 }),
  value: fc.integer({ min: 0, max: 255 }),
  fixChecksum: fc.boolean(),
});

/** Flips bytes; with the checksum put right again, the reader's other checks are what is tried. */
function mutate(bytes: Buffer, mutations: { at: number; value: number; fixChecksum: boolean }[]): Buffer {
  const mutated = Buffer.from(bytes);
  for (const { at, value, fixChecksum } of mutations) {
    mutated[at] = value;
    if (!fixChecksum) continue;
    const block = mutated.subarray(at - (at % 512), at - (at % 512) + 512);
    block.fill(0x20, 148, 156);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  }
  return mutated;
}

const LIMITS = { maxBytes: 100_000, maxEntries: 200 };
const REFUSALS = ["archive-hostile", "archive-invalid"];

async function staysInside(bytes: Uint8Array): Promise<"unpacked" | "refused"> {
  using arena = new Arena();
  const outcome = await arena.unpack(bytes, { limits: LIMITS });
  expect(arena.escapes()).toEqual([]);
  if (outcome.kind === "refused") expect(REFUSALS).toContain(outcome.code);
  return outcome.kind;
}

describe("any archive", () => {
  test("of hostile parts writes nothing outside, and is unpacked or refused as what it is", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(evilPart, { maxLength: 8 }), async (parts) => {
        await staysInside(archive(...parts));
      }),
      { numRuns: 400 },
    );
  }, 120_000);

  test("with bytes changed writes nothing outside, and is unpacked or refused as what it is", async () => {
    const kinds = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 6 }), async (mutations) => {
        kinds.add(await staysInside(mutate(HARMLESS, mutations)));
      }),
      { numRuns: 400 },
    );
    // Both happen, or the mutations would be too tame or too wild to try anything.
    expect([...kinds].sort()).toEqual(["refused", "unpacked"]);
  }, 120_000);

  test("whose compressed bytes are changed or cut does not hang", async () => {
    const compressed = [gzipSync(HARMLESS), zstdCompressSync(HARMLESS)];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...compressed),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (bytes, changes, kept) => {
          const changed = Buffer.from(bytes.subarray(0, Math.ceil(bytes.length * kept)));
          for (const [at, value] of changes) if (changed.length > 0) changed[at % changed.length] = value;
          await staysInside(changed);
        },
      ),
      { numRuns: 250 },
    );
  }, 120_000);
});
