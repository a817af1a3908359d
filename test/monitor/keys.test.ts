import { expect, test } from "bun:test";
import fc from "fast-check";
import { keysIn } from "../../src/monitor/keys.ts";

const kinds = (sent: string, isAll = false): string[] =>
  keysIn(sent, isAll).keys.map((key) => (key.kind === "text" ? `"${key.text}"` : key.kind));

test.each([
  ["jk", ['"j"', '"k"']],
  ["\u001b[A\u001bOB\u001b[5~", ["up", "down", "page up"]],
  ["\r\u007f\u0003\u001a\u000c", ["enter", "backspace", "interrupt", "suspend", "redraw"]],
  ["/wéb漢", ['"/"', '"w"', '"é"', '"b"', '"漢"']],
  ["\u001b[200~\u001b[99;5u", []],
])("%j", (sent, keys) => {
  expect(kinds(sent)).toEqual(keys);
});

test("an escape alone waits for what may follow, and is the key once nothing does", () => {
  expect(keysIn("\u001b", false)).toEqual({ keys: [], rest: "\u001b" });
  expect(kinds("\u001b", true)).toEqual(["escape"]);
  expect(keysIn("q\u001b[", false).rest).toBe("\u001b[");
});

test("however what was typed is cut into pieces, the keys are the same", () => {
  const typed = fc.array(fc.constantFrom("a", "\u001b[B", "\u001bOA", "\r", "漢", "\u001b[6~", "\u001b[1~"), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(typed, fc.array(fc.nat(5), { maxLength: 20 }), (parts, cuts) => {
      const whole = parts.join("");
      let [rest, at] = ["", 0];
      const found: string[] = [];
      const take = (piece: string, isAll: boolean): void => {
        const read = keysIn(rest + piece, isAll);
        ({ rest } = read);
        found.push(...read.keys.map((key) => (key.kind === "text" ? `"${key.text}"` : key.kind)));
      };
      for (const cut of cuts) {
        take(whole.slice(at, at + cut), false);
        at += cut;
      }
      take(whole.slice(at), true);
      expect(found).toEqual(kinds(whole, true));
    }),
  );
});
