/** What a word means to the reader; a terminal shows each tone in a colour, a page by a class. */
export type Tone = "good" | "bad" | "warn" | "busy" | "dim" | "plain";

/** A word with its sign, so that it can be read without colours and by ear. */
export interface Sign {
  readonly glyph: string;
  readonly word: string;
  readonly tone: Tone;
}
