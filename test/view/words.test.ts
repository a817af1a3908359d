import { describe, expect, test } from "bun:test";
import { duration, secondsBetween } from "../../src/view/times.ts";
import { byteSize, lastLines, oneLine, someOf } from "../../src/view/words.ts";

describe("foreign text", () => {
  test("is one line without colours, titles, controls and marks that reorder", () => {
    expect(oneLine("a\nb\t\u001b[31mred\u001b[0m \u001b]0;title\u0007c\u0007\u202ed")).toBe("a b red c\\x07\\u202ed");
  });

  test("of many lines keeps the last, each with what a progress bar wrote last", () => {
    expect(lastLines("1\n2\n10%\r50%\r100%\n\tend\u001b[K\n", 2)).toEqual(["100%", "    end"]);
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
