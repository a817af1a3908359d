import { difference } from "../monitor/difference.ts";
import type { Cells } from "../monitor/cells.ts";
import { plainPaint } from "../cli/paint.ts";
import type { Output } from "../cli/output.ts";
import { BEGIN_FRAME, END_FRAME } from "./screen.ts";

/** The alternate screen of xterm, so that what was there before comes back; and no cursor. */
const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[0m\u001b[?25h\u001b[?1049l";

/** Draws screens by what has changed since the last one. */
export class MonitorScreen {
  readonly #output: Output;
  #shown: Cells | null = null;
  #isEntered = false;

  constructor(output: Output) {
    this.#output = output;
  }

  draw(cells: Cells): void {
    const entering = this.#isEntered ? "" : ENTER;
    this.#isEntered = true;
    const changes = difference(this.#shown, cells, this.#output.paint !== plainPaint);
    this.#shown = cells;
    if (changes !== "" || entering !== "") this.#output.control(`${entering}${BEGIN_FRAME}${changes}${END_FRAME}`);
  }

  /** What the terminal shows is not known any more. */
  forget(): void {
    this.#shown = null;
  }

  leave(): void {
    if (!this.#isEntered) return;
    this.#isEntered = false;
    this.#shown = null;
    this.#output.control(LEAVE);
  }
}
