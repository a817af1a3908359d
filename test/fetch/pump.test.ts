import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { download, type DownloadRequest } from "../../src/fetch/download.ts";
import type { Answer, Beginning, SourceKind } from "../../src/fetch/source/source.ts";
import { systemClock } from "../../src/support/clock.ts";
import { deployErrorOf, never, Scratch } from "./scratch.ts";

/*
 * A source of a kind that nobody has built in: what the pump does with what it gives, whatever that is.
 */

const BUILD = Buffer.from("the bytes of a build");

type Given = Partial<Omit<Answer, "bytes">> & { readonly parts?: readonly (Buffer | Error | "silence")[] };

/** Gives one answer after the other, and remembers what it was asked and which answers were closed. */
function peer(...answers: readonly (Given | null | Error)[]) {
  const asked: Beginning[] = [];
  const signals: AbortSignal[] = [];
  let closed = 0;
  const kind: SourceKind = ({ waitFor }) => ({
    open: async (url, from, signal) => {
      const given = answers[asked.length] ?? null;
      asked.push(from);
      signals.push(signal);
      if (given instanceof Error) throw given;
      if (given === null) return null;
      const { parts = [BUILD.subarray(from.length)], ...more } = given;
      return {
        url,
        brings: from.length === 0 ? "the whole" : "the rest",
        size: BUILD.length,
        mayGrow: false,
        validator: null,
        coding: "",
        bytes: (async function* () {
          for (const part of parts) {
            if (part === "silence") await waitFor(() => new Promise<never>(() => {}));
            else if (part instanceof Error) throw part;
            else yield part;
          }
        })(),
        [Symbol.asyncDispose]: async () => void (closed += 1),
        ...more,
      };
    },
    explain: async (error, soFar) => ({ why: `${String(error)} ${soFar}`, hint: "Look at the peer.", retry: true }),
  });
  const fetchInto = (scratch: Scratch, more: Partial<DownloadRequest> = {}): Promise<void> =>
    download(
      { url: "peer://web-2/v1", into: scratch.at("spool"), size: BUILD.length, sources: [], signal: never(), ...more },
      { clock: systemClock, trust: { authorities: () => Promise.resolve(null) }, kinds: { "peer:": kind } },
    );
  return { asked, signals, fetchInto, closed: () => closed };
}

const spooled = (scratch: Scratch): string => readFileSync(scratch.at("spool"), "utf8");
const noted = (scratch: Scratch): unknown => JSON.parse(readFileSync(scratch.at("spool.origin"), "utf8"));

test("what a source breaks off is told in its own words, and asked for from there on by what it said of itself", async () => {
  using scratch = new Scratch();
  const { asked, fetchInto } = peer(
    { validator: "v1", parts: [BUILD.subarray(0, 8), new Error("gone")] },
    { validator: "v1" },
  );
  expect(await deployErrorOf(fetchInto(scratch))).toMatchObject({
    code: "fetch-failed",
    retry: true,
    message: "Cannot fetch peer://web-2/v1: Error: gone after 8 of 20 bytes.",
    hint: "Look at the peer.",
  });
  const progress: number[] = [];
  await fetchInto(scratch, { onProgress: (bytes) => progress.push(bytes) });
  expect(asked).toEqual([
    { length: 0, validator: null },
    { length: 8, validator: "v1" },
  ]);
  expect(progress).toEqual([BUILD.length]);
  expect(spooled(scratch)).toBe(BUILD.toString());
  expect(noted(scratch)).toEqual({ answers: 2, validator: "v1", isAnew: false });
});

test("a source that has nothing from there on is asked for the whole at once, and then no more", async () => {
  using scratch = new Scratch();
  writeFileSync(scratch.at("spool"), "other");
  const { asked, fetchInto } = peer(null, {});
  await fetchInto(scratch);
  expect(asked.map(({ length }) => length)).toEqual([5, 0]);
  expect(spooled(scratch)).toBe(BUILD.toString());
  using empty = new Scratch();
  expect(await deployErrorOf(peer(null, null, {}).fetchInto(empty))).toMatchObject({ retry: false });
});

test("a file that still grows may be shorter than the build and never longer", async () => {
  using scratch = new Scratch();
  const half = BUILD.subarray(0, 10);
  const { fetchInto } = peer(
    { size: 10, mayGrow: true, parts: [half] },
    { size: BUILD.length + 1, mayGrow: true },
    { size: 10, parts: [half] },
  );
  expect((await deployErrorOf(fetchInto(scratch))).message).toContain("got 10 of 20 bytes");
  expect((await deployErrorOf(fetchInto(scratch))).message).toContain("expected 20 bytes, but it has 21");
  expect((await deployErrorOf(fetchInto(scratch))).message).toContain("expected 20 bytes, but it has 10");
});

test("a silent source is given up, also while it is only asked", async () => {
  using scratch = new Scratch();
  const { fetchInto } = peer({ parts: [BUILD.subarray(0, 3), "silence"] });
  const error = await deployErrorOf(fetchInto(scratch, { idleTimeoutMs: 30 }));
  expect(error.message).toContain("no byte came for 30 ms, after 3 of 20 bytes");
  const off = new AbortController();
  const again = peer({ parts: ["silence"] }).fetchInto(scratch, { signal: off.signal });
  off.abort();
  expect((await deployErrorOf(again)).code).toBe("aborted");
});

test("every answer is closed and its signal aborted, whatever came of it", async () => {
  using scratch = new Scratch();
  const { fetchInto, closed, signals } = peer(
    { brings: "another part" },
    { size: 1 },
    { parts: [BUILD, BUILD] },
    { parts: [new Error("gone")] },
    {},
  );
  for (let failures = 0; failures < 4; failures += 1) {
    expect((await deployErrorOf(fetchInto(scratch))).code).toBe("fetch-failed");
  }
  await fetchInto(scratch);
  expect(closed()).toBe(5);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true, true, true]);
});

test("a scheme that nobody knows is refused with those that are known", async () => {
  using scratch = new Scratch();
  const error = await deployErrorOf(peer({}).fetchInto(scratch, { url: "https://example.com/v1" }));
  expect(error).toMatchObject({ code: "policy-refused", retry: false });
  expect(error.message).toContain('nothing can be fetched by "https:", only by peer:');
});
