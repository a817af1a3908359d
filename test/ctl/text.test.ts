import { describe, expect, test } from "bun:test";
import { colourPaint, paintFor } from "../../src/cli/paint.ts";
import { table } from "../../src/cli/table.ts";
import { clip, wrap } from "../../src/cli/text.ts";
import { systemClock } from "../../src/support/clock.ts";
import { noon } from "./terminal.ts";

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
  test("is cut to a width in columns, colours and wide characters kept whole", () => {
    expect(clip("hello", 5)).toBe("hello");
    expect(clip("hello", 4)).toBe("hel…");
    expect(Bun.stringWidth(clip("日本語日本語", 5))).toBeLessThanOrEqual(5);
    expect(Bun.stripANSI(clip(colourPaint.bad("hello"), 4))).toBe("hel…");
  });
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
