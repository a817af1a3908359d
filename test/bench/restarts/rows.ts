import type { Variant } from "../../under_load/variants.ts";
import type { Verdict } from "../../under_load/verdict.ts";
import { median } from "../statistics.ts";

export interface Row {
  readonly variant: Variant;
  readonly verdict: Verdict;
}

const COLUMNS: readonly (readonly [head: string, cell: (row: Row) => string | number])[] = [
  ["strategy", ({ variant }) => variant.strategy],
  ["app", ({ variant }) => (variant.cooperates ? "cooperates" : "does not")],
  ["stop", ({ variant }) => variant.stop],
  ["clients", ({ variant }) => variant.clients],
  ["requests", ({ verdict }) => verdict.requests],
  ["failed", ({ verdict }) => verdict.failed],
  ["refused", ({ verdict }) => verdict.classes.refused],
  ["stale", ({ verdict }) => verdict.classes.stale],
  ["broken", ({ verdict }) => verdict.classes.broken],
  ["timeout", ({ verdict }) => verdict.classes.timeout],
  ["5xx", ({ verdict }) => verdict.classes["5xx"]],
  ["late", ({ verdict }) => verdict.late],
  ["closed", ({ verdict }) => verdict.closed ?? "-"],
  ["roll", ({ verdict }) => `${(median(verdict.rollMs) / 1_000).toFixed(1)} s`],
  ["", ({ variant }) => variant.note ?? ""],
];
const TEXT_COLUMNS = 4;

/** A line for each variant. */
export function tableOf(rows: readonly Row[]): string {
  const cells = [COLUMNS.map(([head]) => head), ...rows.map((row) => COLUMNS.map(([, cell]) => String(cell(row))))];
  const widths = COLUMNS.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  const isText = (column: number): boolean => column < TEXT_COLUMNS || column === COLUMNS.length - 1;
  return cells
    .map((line) =>
      line
        .map((cell, column) => (isText(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
