import { keysIn } from "../monitor/keys.ts";
import { widthOfLine } from "../monitor/lines.ts";
import type { OpenTerminal, Terminal } from "../support/terminal.ts";
import { span, type SpanLine } from "../view/spans.ts";
import { oneLine } from "../view/words.ts";
import { LiveBlock } from "./live_block.ts";
import { monitorOn } from "./monitor_loop.ts";
import type { Ctl } from "./verb.ts";

const HINT = span("m: monitor", "dim");

/**
 * The terminal of a command that follows a deploy: what it prints for good, a few lines below that change in place, and,
 * while somebody wants it, the whole monitor. What is to be printed meanwhile is printed when the monitor is left.
 */
export class FollowedScreen implements AsyncDisposable {
  readonly #ctl: Ctl;
  readonly #service: string;
  readonly #block: LiveBlock;
  readonly #terminal: Terminal | null;
  #keyboard: OpenTerminal | null = null;
  #monitor: Promise<void> | null = null;
  #waiting: string[] = [];
  #lines: readonly SpanLine[] = [];

  constructor(ctl: Ctl, service: string) {
    this.#ctl = ctl;
    this.#service = service;
    this.#block = new LiveBlock(ctl.output);
    this.#terminal = ctl.process.terminal ?? null;
    this.#listen();
  }

  /** Prints lines for good. */
  tell(lines: readonly string[]): void {
    if (this.#monitor === null) this.#block.tell(lines);
    else this.#waiting.push(...lines);
  }

  /** @param lines to stay below what is printed, each shorter than the terminal is wide */
  show(lines: readonly SpanLine[]): void {
    this.#lines = lines;
    if (this.#monitor === null) this.#block.show(this.#withHint(lines));
  }

  /** Returns when nobody looks at the monitor any more. */
  async free(): Promise<void> {
    await this.#monitor;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.free();
    this.#keyboard?.close();
    this.#block[Symbol.dispose]();
  }

  #withHint(lines: readonly SpanLine[]): readonly SpanLine[] {
    const last = lines.at(-1);
    if (last === undefined || this.#keyboard === null) return lines;
    const longer = [...last, span("  "), HINT];
    if (widthOfLine(longer) >= this.#ctl.process.columns()) return lines;
    return [...lines.slice(0, -1), longer];
  }

  /** In the background the keyboard is somebody else's, and the command goes on without it. */
  #listen(): void {
    if (this.#terminal?.isOurs() !== true) return;
    this.#keyboard = this.#terminal.open({
      typed: (text) => this.#onTyped(text),
      // A terminal that has become narrower may have broken the lines: they are drawn anew below.
      resized: () => {},
      leaving: () => this.#block.show([]),
      back: () => this.show(this.#lines),
    });
  }

  #onTyped(text: string): void {
    for (const key of keysIn(text, true).keys) {
      // The terminal makes no signals of keys while they come one by one.
      if (key.kind === "interrupt") this.#keyboard?.interrupt();
      else if (key.kind === "suspend") this.#keyboard?.suspend();
      else if (key.kind === "text" && key.text === "m") this.#open();
    }
  }

  #open(): void {
    const terminal = this.#terminal;
    if (this.#monitor !== null || terminal === null) return;
    this.#block.show([]);
    this.#keyboard?.close();
    this.#keyboard = null;
    const left = (problem: string | null): void => {
      this.#monitor = null;
      this.#listen();
      const lines = this.#waiting.splice(0);
      this.#block.tell(problem === null ? lines : [...lines, problem]);
      this.show(this.#lines);
    };
    this.#monitor = monitorOn(terminal, this.#ctl, this.#service).then(
      () => left(null),
      (error: unknown) =>
        left(`! The monitor has ended: ${oneLine(error instanceof Error ? error.message : String(error))}`),
    );
  }
}
