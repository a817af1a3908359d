import { INVERSE, STRONG, TONE_BITS, TONES, type Cells } from "./cells.ts";
import type { Tone } from "../view/tone.ts";

/** Cells between two changes are written again where that takes fewer bytes than to go there. */
const GAP = 5;

const COLOURS: Readonly<Record<Tone, string>> = { plain: "", good: "32", bad: "31", warn: "33", busy: "36", dim: "2" };

/**
 * The control sequences (ECMA-48) that turn one screen into another of the same size: only what has changed is written.
 *
 * @param before null where what the terminal shows is not known
 * @param hasColours without them, what is bold, faint or inverse still is
 */
export function difference(before: Cells | null, after: Cells, hasColours: boolean): string {
  const known = before !== null && before.columns === after.columns && before.rows === after.rows ? before : null;
  const parts: string[] = known === null ? ["\u001b[0m\u001b[2J"] : [];
  // Every frame ends with all attributes reset.
  let style = 0;
  for (let row = 0; row < after.rows; row += 1) {
    let column = 0;
    while ((column = nextChange(known, after, row, column)) < after.columns) {
      // Half of a wide character cannot be written.
      while (column > 0 && after.characters[row * after.columns + column] === "") column -= 1;
      const end = endOfChange(known, after, row, column);
      parts.push(`\u001b[${row + 1};${column + 1}H`);
      for (let at = row * after.columns + column; at < row * after.columns + end; at += 1) {
        const character = after.characters[at] ?? " ";
        if (character === "") continue;
        const wanted = after.styles[at] ?? 0;
        if (wanted !== style) {
          parts.push(rendition(wanted, hasColours));
          style = wanted;
        }
        parts.push(character);
      }
      column = end;
    }
  }
  if (style !== 0) parts.push("\u001b[0m");
  return parts.join("");
}

function isChanged(before: Cells | null, after: Cells, at: number): boolean {
  // A screen that was cleared shows spaces.
  if (before === null) return after.characters[at] !== " " || (after.styles[at] ?? 0) >= INVERSE;
  return before.characters[at] !== after.characters[at] || before.styles[at] !== after.styles[at];
}

function nextChange(before: Cells | null, after: Cells, row: number, from: number): number {
  let column = from;
  while (column < after.columns && !isChanged(before, after, row * after.columns + column)) column += 1;
  return column;
}

function endOfChange(before: Cells | null, after: Cells, row: number, from: number): number {
  let end = from;
  for (let column = from; column < after.columns && column - end < GAP; column += 1)
    if (isChanged(before, after, row * after.columns + column)) end = column + 1;
  while (end < after.columns && after.characters[row * after.columns + end] === "") end += 1;
  return end;
}

function rendition(style: number, hasColours: boolean): string {
  const codes = ["0"];
  if ((style & STRONG) !== 0) codes.push("1");
  if ((style & INVERSE) !== 0) codes.push("7");
  const tone = TONES[style & TONE_BITS] ?? "plain";
  const colour = COLOURS[tone];
  if (colour !== "" && (hasColours || tone === "dim")) codes.push(colour);
  return `\u001b[${codes.join(";")}m`;
}
