import { escaped } from "../support/printable.ts";
import { withPaint } from "./paint.ts";

/**
 * `text`, which may be painted, as one line for a terminal, in at most `columns` columns. A cut is marked by an ellipsis,
 * and colour codes are kept whole.
 */
export function clip(text: string, columns: number): string {
  const line = withPaint(text, escaped);
  const endless = !(columns >= 1);
  return endless || Bun.stringWidth(line) <= columns ? line : Bun.sliceAnsi(line, 0, Math.floor(columns) - 1) + "…";
}

/**
 * Wraps words into as many lines as they need; lines after the first begin with `indent`. A word longer than a line is
 * broken.
 */
export function wrap(text: string, columns: number, indent: string): string[] {
  if (!(columns >= 1) || Bun.stringWidth(text) <= columns) return [text];
  const room = Math.max(1, columns - indent.length);
  const [first = "", ...rest] = Bun.wrapAnsi(text, room, { hard: true }).split("\n");
  return [first, ...rest.map((line) => `${indent}${line}`)];
}
