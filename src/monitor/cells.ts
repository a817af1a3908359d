import type { Span, SpanLine } from "../view/spans.ts";
import type { Tone } from "../view/tone.ts";
import { charactersOf, widthOf } from "./lines.ts";

/** How a cell looks: the tone in the lowest bits, and these beside it. */
export const STRONG = 8;
export const INVERSE = 16;
export const TONES: readonly Tone[] = ["plain", "good", "bad", "warn", "busy", "dim"];
export const TONE_BITS = 7;

export function styleOf({ tone, strong }: Pick<Span, "tone" | "strong">): number {
  return TONES.indexOf(tone) + (strong === true ? STRONG : 0);
}

/** A screen as it is to look: a character and a style for each cell. */
export class Cells {
  readonly columns: number;
  readonly rows: number;
  /** Empty where the character to the left takes two cells. */
  readonly characters: string[];
  readonly styles: Uint8Array;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
    this.characters = Array.from({ length: columns * rows }, () => " ");
    this.styles = new Uint8Array(columns * rows);
  }

  /** One character that takes one cell. */
  set(column: number, row: number, character: string, style: number): void {
    if (column < 0 || column >= this.columns || row < 0 || row >= this.rows) return;
    const at = row * this.columns + column;
    this.characters[at] = character;
    this.styles[at] = style;
  }

  /**
   * Writes spans from a cell to the right, in at most `room` cells; a cut is marked by an ellipsis.
   *
   * @returns the column after them
   */
  write(column: number, row: number, spans: SpanLine, room = this.columns - column): number {
    const end = Math.min(this.columns, column + room);
    if (row < 0 || row >= this.rows) return column;
    let at = column;
    for (const each of spans) {
      const style = styleOf(each);
      for (const character of charactersOf(each.text)) {
        const width = widthOf(character);
        if (width === 0) continue;
        if (at + width > end) {
          // It goes over what would be the last cell.
          if (end > column) this.#put(end - 1, row, "…", style, 1);
          return end;
        }
        this.#put(at, row, character, style, width);
        at += width;
      }
    }
    return at;
  }

  /** The whole row, with what is in it, looks the other way round. */
  invert(row: number): void {
    for (let at = row * this.columns; at < (row + 1) * this.columns; at += 1)
      this.styles[at] = (this.styles[at] ?? 0) | INVERSE;
  }

  /** The text of a row without what is empty at its end. */
  text(row: number): string {
    return this.characters
      .slice(row * this.columns, (row + 1) * this.columns)
      .join("")
      .trimEnd();
  }

  #put(column: number, row: number, character: string, style: number, width: number): void {
    const at = row * this.columns + column;
    // Half of a wide character is no character.
    if (this.characters[at] === "" && column > 0) this.characters[at - 1] = " ";
    if (column + width < this.columns && this.characters[at + width] === "") this.characters[at + width] = " ";
    this.characters[at] = character;
    this.styles[at] = style;
    if (width < 2) return;
    this.characters[at + 1] = "";
    this.styles[at + 1] = style;
  }
}
