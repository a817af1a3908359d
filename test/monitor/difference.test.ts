import { expect, test } from "bun:test";
import fc from "fast-check";
import { Cells } from "../../src/monitor/cells.ts";
import { difference } from "../../src/monitor/difference.ts";
import { widthOfText, wrapped } from "../../src/monitor/lines.ts";
import { span, strong } from "../../src/view/spans.ts";
import type { Tone } from "../../src/view/tone.ts";
import { ShownTerminal } from "./shown_terminal.ts";

const COLUMNS = 24;
const ROWS = 6;
const tones: readonly Tone[] = ["plain", "good", "bad", "warn", "busy", "dim"];
const texts = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.constantFrom("✗ web-01", "漢字かな交じり", "e\u0301a", "👩‍🚀 up", "x\u001b[31mred", "…", "\t\n"),
);
const writings = fc.array(
  fc.record({
    column: fc.nat(COLUMNS - 1),
    row: fc.nat(ROWS - 1),
    text: texts,
    tone: fc.constantFrom(...tones),
    isStrong: fc.boolean(),
    isInverse: fc.boolean(),
  }),
  { maxLength: 12 },
);

function drawn(
  all: readonly { column: number; row: number; text: string; tone: Tone; isStrong: boolean; isInverse: boolean }[],
): Cells {
  const cells = new Cells(COLUMNS, ROWS);
  for (const { column, row, text, tone, isStrong, isInverse } of all) {
    cells.write(column, row, [isStrong ? strong(text, tone) : span(text, tone)]);
    if (isInverse) cells.invert(row);
  }
  return cells;
}

test("whatever was shown before, what is sent turns it into the new screen", () => {
  fc.assert(
    fc.property(fc.array(writings, { minLength: 1, maxLength: 6 }), fc.boolean(), (screens, hasColours) => {
      const terminal = new ShownTerminal(COLUMNS, ROWS);
      let before: Cells | null = null;
      for (const writing of screens) {
        const cells = drawn(writing);
        terminal.send(difference(before, cells, hasColours));
        before = cells;
        expect(terminal.characters).toEqual(cells.characters);
        const fresh = new ShownTerminal(COLUMNS, ROWS);
        fresh.send(difference(null, cells, hasColours));
        expect(looks(terminal)).toEqual(looks(fresh));
      }
    }),
    { numRuns: 300 },
  );
});

/** A space looks the same in every tone, unless it is inverse. */
function looks({ characters, styles }: ShownTerminal): string[] {
  return styles.map((style, at) => (characters[at] === " " && !style.includes("7") ? "" : style));
}

test("a screen that is the same sends nothing", () => {
  const write = (): Cells =>
    drawn([{ column: 2, row: 1, text: "web-01 ✓", tone: "good", isStrong: true, isInverse: false }]);
  expect(difference(write(), write(), true)).toBe("");
});

test("without colours what is strong and inverse is still so", () => {
  const cells = drawn([{ column: 0, row: 0, text: "✗ failed", tone: "bad", isStrong: true, isInverse: true }]);
  const sent = difference(null, cells, false);
  expect(sent).toContain("\u001b[0;1;7m");
  expect(sent).not.toMatch(/\u001b\[[0-9;]*3[0-9]m/);
});

test("text from strangers cannot send codes of its own, and a cut is marked", () => {
  const cells = new Cells(12, 1);
  cells.write(0, 0, [span("a\u001b[2Jb\u202ec and more than fits")]);
  expect(cells.text(0)).toBe("a\\x1b[2Jb\\u…");
});

test("wrapping loses no word and never goes over the edge", () => {
  fc.assert(
    fc.property(fc.array(texts, { maxLength: 4 }), fc.integer({ min: 4, max: 40 }), (parts, columns) => {
      const line = parts.map((text) => span(text.replace(/\s+/g, " ")));
      const lines = wrapped(line, columns, "  ");
      const cells = new Cells(columns, Math.max(1, lines.length));
      for (const [row, each] of lines.entries()) cells.write(0, row, each);
      const plain = (text: string): string => text.replace(/\s+/g, "");
      const whole = new Cells(2_000, 1);
      whole.write(0, 0, line);
      const shown = Array.from({ length: cells.rows }, (_, row) => cells.text(row)).join("");
      expect(plain(shown)).toBe(plain(whole.text(0)));
    }),
    { numRuns: 300 },
  );
});

test("half of a wide character is never left", () => {
  const cells = new Cells(6, 1);
  cells.write(0, 0, [span("漢字")]);
  cells.write(1, 0, [span("x")]);
  expect(cells.characters).toEqual([" ", "x", "字", "", " ", " "]);
  expect(widthOfText("漢字")).toBe(4);
});
