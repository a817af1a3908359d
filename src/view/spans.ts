import type { Tone } from "./tone.ts";

/** A piece of text in one tone. A terminal, or a page, makes lines of them. */
export interface Span {
  readonly text: string;
  readonly tone: Tone;
  readonly strong?: true;
}

export type SpanLine = readonly Span[];

export function span(text: string, tone: Tone = "plain"): Span {
  return { text, tone };
}

export function strong(text: string, tone: Tone = "plain"): Span {
  return { text, tone, strong: true };
}
