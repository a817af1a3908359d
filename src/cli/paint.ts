import type { SpanLine } from "../view/spans.ts";
import type { Tone } from "../view/tone.ts";

type Style = (text: string) => string;

/** Functions that colour text, or leave it plain if nobody would see colours. */
export interface Paint {
  readonly good: Style;
  readonly bad: Style;
  readonly warn: Style;
  readonly busy: Style;
  readonly dim: Style;
  readonly bold: Style;
}

const style =
  (on: number, off: number): Style =>
  (text) =>
    text === "" ? "" : `\u001b[${on}m${text}\u001b[${off}m`;

const same: Style = (text) => text;

export const plainPaint: Paint = { good: same, bad: same, warn: same, busy: same, dim: same, bold: same };

export const colourPaint: Paint = {
  good: style(32, 39),
  bad: style(31, 39),
  warn: style(33, 39),
  busy: style(36, 39),
  dim: style(2, 22),
  bold: style(1, 22),
};

/** A text in the colour of its tone. */
export function toned(paint: Paint, tone: Tone, text: string): string {
  return tone === "plain" ? text : paint[tone](text);
}

export function paintedLine(line: SpanLine, paint: Paint): string {
  return line
    .map(({ text, tone, strong }) =>
      strong === true ? paint.bold(toned(paint, tone, text)) : toned(paint, tone, text),
    )
    .join("");
}

const CODES = /(\u001b\[(?:1|2|22|31|32|33|36|39)m)/;

/** Applies `change` to everything in a painted text except its colours. */
export function withPaint(text: string, change: (text: string) => string): string {
  return text
    .split(CODES)
    .map((part, index) => (index % 2 === 1 ? part : change(part)))
    .join("");
}

/** What decides whether colours are seen. */
interface PaintedProcess {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdoutIsTerminal: boolean;
}

/** Colour only on a terminal, and not where NO_COLOR is set to anything (no-color.org) or the terminal is dumb. */
export function paintFor({ env, stdoutIsTerminal }: PaintedProcess): Paint {
  const refused = (env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb";
  return stdoutIsTerminal && !refused ? colourPaint : plainPaint;
}
