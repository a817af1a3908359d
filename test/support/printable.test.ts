import { expect, test } from "bun:test";
import { escaped, printableJson } from "../../src/support/printable.ts";

test("what forges, hides, reorders or ends a line is shown by its number, and what people write stays", () => {
  expect(escaped("a\u001b[31mb\r\n\u0007\u009b2J")).toBe("a\\x1b[31mb\\x0d\\x0a\\x07\\x9b2J");
  expect(escaped("gpj\u202eexe \u2066x\u2069 \u061c \u2028")).toBe("gpj\\u202eexe \\u2066x\\u2069 \\u061c \\u2028");
  expect(escaped("pay\u200bpal \u2060 \u3164 \ufeff \u00ad")).toBe("pay\\u200bpal \\u2060 \\u3164 \\ufeff \\xad");
  expect(escaped("\ud800 \ue000 \u{e0041} \udc00")).toBe("\\ud800 \\ue000 \\u{e0041} \\udc00");
  const plain = "Größe 日本語 שלום é e\u0301 ⚠\ufe0f 🚀 ✓ a b";
  expect(escaped(plain)).toBe(plain);
});

test("JSON means the same", () => {
  const value = { "k\u202e": ["\u009b2J", "\u{e0041}", "\ud800", "\u007f\u2028", "a\nb", "日本"] };
  const lines = `${JSON.stringify(value)}\n${JSON.stringify(value)}\n`;
  const safe = printableJson(lines);
  expect(safe.replaceAll("\n", "")).toBe(escaped(safe.replaceAll("\n", "")));
  expect(
    safe
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([value, value]);
});
