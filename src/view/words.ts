import { escaped } from "../support/printable.ts";

// CSI and OSC sequences: colours in a log are removed whole, so that no "[31m" is left behind.
const ESCAPES = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?)/g;

/** Foreign text as one line that is safe in a terminal. */
export function oneLine(text: string): string {
  return escaped(text.replace(ESCAPES, "").replace(/\s+/g, " ")).trim();
}

/** The last `max` lines of foreign output, each safe in a terminal. */
export function lastLines(text: string, max: number): string[] {
  const lines = text.trimEnd().split("\n");
  return lines
    .slice(-max)
    .map((line) => (line.includes("\r") ? line.slice(line.trimEnd().lastIndexOf("\r") + 1) : line))
    .map((line) => line.replaceAll("\t", "    ").replace(ESCAPES, "").trimEnd())
    .map(escaped)
    .filter((line, index, all) => line !== "" || (index > 0 && all.length > 1));
}

/** "a, b and 3 more" */
export function someOf(names: readonly string[], max: number): string {
  if (names.length <= max) return names.join(", ");
  return `${names.slice(0, max).join(", ")} and ${names.length - max} more`;
}

/** "1 host", "2 hosts" */
export function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

/** "512 B", "4.2 MB" */
export function byteSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  const power = Math.min(units.length, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(1)} ${units[power - 1]}`;
}
