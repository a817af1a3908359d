import type { Output } from "../cli/output.ts";

const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
// Synchronized output: a terminal that supports it shows the whole frame at once, others ignore it.
export const BEGIN_FRAME = "\u001b[?2026h";
export const END_FRAME = "\u001b[?2026l";
const CLEAR = "\u001b[2J";
const HOME = "\u001b[H";
const CLEAR_TO_END_OF_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

/** A terminal that is redrawn in place. Disposing of it restores the cursor, also when a signal ends the command. */
export class Screen implements Disposable {
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
    output.frame(HIDE_CURSOR + CLEAR + HOME, [], "", "");
  }

  draw(lines: readonly string[]): void {
    this.#output.frame(BEGIN_FRAME + HOME, lines, `${CLEAR_TO_END_OF_LINE}\n`, CLEAR_BELOW + END_FRAME);
  }

  [Symbol.dispose](): void {
    this.#output.frame(SHOW_CURSOR, [], "", "");
  }
}
