import { describe, expect, test } from "bun:test";
import { colourPaint, paintFor } from "../../src/ctl/paint.ts";
import { table } from "../../src/ctl/table.ts";
import { clip, wrap } from "../../src/ctl/text.ts";
import { byteSize, lastLines, oneLine, someOf } from "../../src/view/words.ts";
import { duration, secondsBetween } from "../../src/view/times.ts";
import { noon } from "./terminal.ts";
import { systemClock } from "../../src/support/clock.ts";

test("what must not be cut is wrapped, a long word broken, wide characters counted, and nothing lost", () => {
  expect(wrap("! short", 80, "  ")).toEqual(["! short"]);
  expect(wrap("! to have it followed: deployd ctl services accept web", 20, "  ")).toEqual([
    "! to have it",
    "  followed: deployd",
    "  ctl services",
    "  accept web",
  ]);
  for (const text of [
    `! ${"x".repeat(50)} end`,
    "! 何度やっても、うまくいかない。 何度やっても、うまくいかない。",
    "! /services/web/deploys/20260701-115000-ab12/gate is gone",
  ]) {
    for (const columns of [12, 20, 40]) {
      const lines = wrap(text, columns, "  ");
      expect(lines.every((line) => Bun.stringWidth(line) <= columns)).toBe(true);
      expect(lines.join("").replaceAll(" ", "")).toBe(text.replaceAll(" ", ""));
    }
  }
  expect(wrap("as long as it is", Infinity, "  ")).toEqual(["as long as it is"]);
});

describe("foreign text", () => {
  test("is one line without colours, titles, controls and marks that reorder", () => {
    expect(oneLine("a\nb\t\u001b[31mred\u001b[0m \u001b]0;title\u0007c\u0007\u202ed")).toBe("a b red c\\x07\\u202ed");
  });

  test("of many lines keeps the last, each with what a progress bar wrote last", () => {
    expect(lastLines("1\n2\n10%\r50%\r100%\n\tend\u001b[K\n", 2)).toEqual(["100%", "    end"]);
  });

  test("is cut to a width in columns, colours and wide characters kept whole", () => {
    expect(clip("hello", 5)).toBe("hello");
    expect(clip("hello", 4)).toBe("hel…");
    expect(Bun.stringWidth(clip("日本語日本語", 5))).toBeLessThanOrEqual(5);
    expect(Bun.stripANSI(clip(colourPaint.bad("hello"), 4))).toBe("hel…");
  });

  test("of many names is counted", () => {
    expect(someOf(["a", "b", "c"], 3)).toBe("a, b, c");
    expect(someOf(["a", "b", "c"], 2)).toBe("a, b and 1 more");
  });
});

test("durations have at most two units", () => {
  const seconds = [-5, 0, 59.9, 60, 3_599, 3_600, 86_400, 200_000];
  expect(seconds.map((s) => duration(s * 1000))).toEqual([
    "0s",
    "0s",
    "59s",
    "1m 00s",
    "59m 59s",
    "1h 00m",
    "24h 00m",
    "2d",
  ]);
  expect(secondsBetween("2026-07-01T12:00:00.000Z", "2026-07-01T12:00:01.260Z")).toBe(1.3);
});

test("sizes are read with one decimal", () => {
  expect([0, 999, 1000, 4_200_000, 3.1e9].map(byteSize)).toEqual(["0 B", "999 B", "1.0 kB", "4.2 MB", "3.1 GB"]);
});

test("a table aligns what is shown, whatever bytes it takes", () => {
  const rows = [
    [colourPaint.bad("✗"), "日本", "x"],
    ["", "b", ""],
    ["✓", "ascii", "y"],
  ];
  expect(table(rows).map((line) => Bun.stripANSI(line))).toEqual(["✗  日本   x", "   b", "✓  ascii  y"]);
});

test("colours are for terminals that did not say no", () => {
  const process = {
    stdout: { write: () => {} },
    stderr: { write: () => {} },
    stdoutIsTerminal: true,
    columns: () => 80,
    signal: new AbortController().signal,
    clock: systemClock,
    now: () => noon,
    user: "ana",
    version: "0.1.0",
  };
  const coloured = (env: Record<string, string>, stdoutIsTerminal: boolean): boolean =>
    paintFor({ ...process, env, stdoutIsTerminal }).bad("x") !== "x";
  expect(coloured({}, true)).toBe(true);
  expect(coloured({}, false)).toBe(false);
  expect(coloured({ NO_COLOR: "1" }, true)).toBe(false);
  expect(coloured({ NO_COLOR: "" }, true)).toBe(true);
  expect(coloured({ TERM: "dumb" }, true)).toBe(false);
});
