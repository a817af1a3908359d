import { escaped } from "../support/printable.ts";
import type { Span, SpanLine } from "../view/spans.ts";

/* How wide lines are in cells, and how they are made to fit. */

const PLAIN = /^[\x20-\x7e]*$/;
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/** Each of them takes a cell or two; text from strangers is made safe. */
export function charactersOf(text: string): Iterable<string> {
  if (PLAIN.test(text)) return text;
  return Array.from(graphemes.segment(escaped(text)), ({ segment }) => segment);
}

/** How many cells a character takes. */
export function widthOf(character: string): number {
  if (character.length === 1 && PLAIN.test(character)) return 1;
  return Math.min(2, Bun.stringWidth(character));
}

/** How many cells a text takes. */
export function widthOfText(text: string): number {
  return PLAIN.test(text) ? text.length : Bun.stringWidth(escaped(text));
}

export function widthOfLine(line: SpanLine): number {
  return line.reduce((sum, { text }) => sum + widthOfText(text), 0);
}

/** Breaks a line between words, so that nothing is cut; words that are longer than a row are broken. */
export function wrapped(line: SpanLine, columns: number, indent = ""): SpanLine[] {
  const lines: Span[][] = [];
  let now: Span[] = [];
  let used = 0;
  const next = (): void => {
    lines.push(now);
    now = indent === "" ? [] : [{ text: indent, tone: "plain" }];
    used = indent.length;
  };
  const add = (text: string, like: Span): void => {
    now.push({ ...like, text });
    used += widthOfText(text);
  };
  for (const each of line) {
    for (const word of escaped(each.text).split(/(?<= )(?=\S)/)) {
      let rest = word;
      if (used + widthOfText(rest.trimEnd()) > columns && used > indent.length) next();
      while (rest !== "" && widthOfText(rest.trimEnd()) > columns - used) {
        const part = beginningOf(rest, Math.max(1, columns - used));
        add(part, each);
        rest = rest.slice(part.length);
        next();
      }
      if (rest !== "") add(rest, each);
    }
  }
  lines.push(now);
  for (const each of lines) {
    const last = each.at(-1);
    if (last !== undefined) each[each.length - 1] = { ...last, text: last.text.trimEnd() };
  }
  return lines.filter((each, at) => each.some(({ text }) => text.trim() !== "") || at === 0);
}

/** As much of a text as fits, and one character at least. */
function beginningOf(text: string, columns: number): string {
  let taken = "";
  for (const character of charactersOf(text)) {
    if (widthOfText(taken + character) > columns) break;
    taken += character;
  }
  return taken === "" ? text.slice(0, 1) : taken;
}

/** As many of these parts as there is room for, and nothing cut. */
export function fitting(begin: SpanLine, parts: readonly SpanLine[], columns: number): SpanLine {
  let line = begin;
  for (const part of parts) {
    if (widthOfLine([...line, ...part]) > columns) break;
    line = [...line, ...part];
  }
  return line;
}

/** Parts one after the other, in as many lines as they need; none is broken. */
export function packed(parts: readonly SpanLine[], columns: number): SpanLine[] {
  const lines: SpanLine[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    const longer = last === undefined ? part : [...last, { text: "  ", tone: "plain" } as const, ...part];
    if (last !== undefined && widthOfLine(longer) <= columns) lines[lines.length - 1] = longer;
    else lines.push(part);
  }
  return lines;
}

/** How many cells the widest of these takes. */
export function widest(names: readonly string[]): number {
  return names.reduce((most, name) => Math.max(most, widthOfText(name)), 0);
}
