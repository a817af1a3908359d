import { type Figure, meetsLimit } from "./figure.ts";
import { rounded } from "./statistics.ts";

/** One line of JSON; the consumer of these is a program. */
export function jsonLine(bench: string, figure: Figure): string {
  const { name, value, unit, limit, goal, detail } = figure;
  return JSON.stringify({ bench, name, value: rounded(value), unit, limit, goal, ok: meetsLimit(figure), detail });
}

/** A table for people: each figure, and below it what it was made of. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.name,
    String(rounded(figure.value)),
    figure.unit,
    figure.limit === null ? "no limit" : `${figure.goal} ${figure.limit}`,
    figure.limit === null ? "" : meetsLimit(figure) ? "ok" : "MISSED",
  ]);
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
  return figures
    .flatMap((figure, index) => {
      const cells = (rows[index] ?? []).map((cell, column) =>
        column === 1 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      );
      const details = Object.entries(figure.detail).map(([key, value]) => `    ${key}: ${shown(value)}`);
      return [cells.join("  ").trimEnd(), ...details];
    })
    .join("\n");
}

function shown(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(shown).join(" ");
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .map(([key, each]) => `${key} ${shown(each)}`)
      .join(", ");
  }
  return String(value);
}
