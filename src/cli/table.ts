import { escaped } from "../support/printable.ts";
import { withPaint } from "./paint.ts";
import { clip } from "./text.ts";

export interface TableOptions {
  /** Lines are cut to this many columns; by default they are not cut. */
  readonly columns?: number;
  readonly indent?: string;
}

/** Rows in aligned columns, two spaces apart. Cells may carry colours; wide characters count with their displayed width. */
export function table(given: readonly (readonly string[])[], options: TableOptions = {}): string[] {
  // Cells are escaped first, as they will be shown; otherwise the columns after them would not be aligned.
  const rows = given.map((row) => row.map((cell) => withPaint(cell, escaped)));
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, Bun.stringWidth(cell));
    });
  }
  const indent = options.indent ?? "";
  return rows.map((row) => {
    const last = row.findLastIndex((cell) => cell !== "");
    const cells = row
      .slice(0, last + 1)
      .map((cell, index) => (index === last ? cell : padEnd(cell, widths[index] ?? 0)));
    const line = indent + cells.join("  ");
    return options.columns === undefined ? line : clip(line, options.columns);
  });
}

function padEnd(cell: string, width: number): string {
  return cell + " ".repeat(Math.max(0, width - Bun.stringWidth(cell)));
}
