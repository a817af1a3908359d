import { paintedLine } from "../cli/paint.ts";
import type { Output } from "../cli/output.ts";
import type { SpanLine } from "../view/spans.ts";
import { BEGIN_FRAME, END_FRAME } from "./screen.ts";

const CLEAR_BELOW = "\u001b[J";

/**
 * Some lines that stay below what a command prints, and are drawn anew in place. When it is disposed of they are gone, and
 * what was printed stays as if they had never been.
 */
export class LiveBlock implements Disposable {
  readonly #output: Output;
  #lines: readonly string[] = [];
  #isShown = false;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Prints lines for good, above the block. */
  tell(lines: readonly string[]): void {
    if (lines.length > 0) this.#draw(lines, this.#lines);
  }

  /** @param lines each shorter than the terminal is wide */
  show(lines: readonly SpanLine[]): void {
    const painted = lines.map((line) => paintedLine(line, this.#output.paint));
    if (!this.#isShown || !Bun.deepEquals(painted, this.#lines)) this.#draw([], painted);
  }

  [Symbol.dispose](): void {
    this.#draw([], []);
  }

  #draw(above: readonly string[], block: readonly string[]): void {
    const up = this.#isShown && this.#lines.length > 0 ? `\u001b[${this.#lines.length}A\r` : "";
    if (up === "" && above.length + block.length === 0) return;
    this.#output.frame(`${BEGIN_FRAME}${up}${CLEAR_BELOW}`, [...above, ...block], "\n", END_FRAME);
    this.#lines = block;
    this.#isShown = block.length > 0;
  }
}
