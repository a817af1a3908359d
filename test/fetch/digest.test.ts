import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { deployErrorOf, Scratch } from "./scratch.ts";
import { digestOfFile, verifyFile } from "../harness/real_time.ts";

const EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ABC = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

describe("digests", () => {
  test("a file's digest and size are those of FIPS 180-4's examples", async () => {
    using scratch = new Scratch();
    writeFileSync(scratch.at("empty"), "");
    writeFileSync(scratch.at("abc"), "abc");
    expect(await digestOfFile(scratch.at("empty"))).toEqual({ digest: EMPTY, bytes: 0 });
    expect(await digestOfFile(scratch.at("abc"))).toEqual({ digest: ABC, bytes: 3 });
  });

  test("a file of many reads has the digest of its whole", async () => {
    using scratch = new Scratch();
    const bytes = Buffer.alloc(1_700_001, "deployd");
    writeFileSync(scratch.at("big"), bytes);
    const hex = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
    expect(await digestOfFile(scratch.at("big"))).toEqual({ digest: `sha256:${hex}`, bytes: bytes.length });
  });

  test("an aborted signal stops it", async () => {
    using scratch = new Scratch();
    writeFileSync(scratch.at("abc"), "abc");
    expect((await deployErrorOf(digestOfFile(scratch.at("abc"), AbortSignal.abort()))).code).toBe("aborted");
  });
});

describe("verifying a file", () => {
  test("a file with the promised digest and size passes", async () => {
    using scratch = new Scratch();
    writeFileSync(scratch.at("abc"), "abc");
    await verifyFile(scratch.at("abc"), { digest: ABC, size: 3, label: "web-1f3c" });
    expect(await Bun.file(scratch.at("abc")).text()).toBe("abc");
  });

  test("another digest is refused with both of them and what to do", async () => {
    using scratch = new Scratch();
    writeFileSync(scratch.at("abd"), "abd");
    const error = await deployErrorOf(verifyFile(scratch.at("abd"), { digest: ABC, size: 3, label: "web-1f3c" }));
    expect(error.code).toBe("digest-mismatch");
    expect(error.retry).toBe(false);
    expect(error.explained).toBe(
      'Cannot verify "web-1f3c": expected sha256 ba7816bf8f01…, got a52d159f262b…. ' +
        "Upload the build again, or fix its digest.",
    );
  });

  test("another size is refused with both of them", async () => {
    using scratch = new Scratch();
    writeFileSync(scratch.at("abc"), "abc");
    const error = await deployErrorOf(verifyFile(scratch.at("abc"), { digest: ABC, size: 4, label: "web\u001b[2J" }));
    expect(error.message).toBe('Cannot verify "web\\x1b[2J": expected 4 bytes, got 3.');
  });
});
