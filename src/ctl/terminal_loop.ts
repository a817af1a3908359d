import { Bell } from "../support/bell.ts";
import { every } from "../support/clock.ts";
import type { OpenTerminal, Terminal } from "../support/terminal.ts";
import type { Cells } from "../monitor/cells.ts";
import { keysIn, type Key } from "../monitor/keys.ts";
import { MonitorScreen } from "./monitor_screen.ts";
import type { Ctl } from "./verb.ts";

/** At most so often is drawn what nobody has asked for: ten frames a second. */
const FRAME_MS = 100;
/** An escape that nothing has followed within this time is the key of that name, also over a slow line. */
const ESCAPE_MS = 300;

/** What a terminal tells, and the passing of time. */
export type TerminalMessage =
  | { readonly kind: "key"; readonly key: Key }
  | { readonly kind: "resized"; readonly columns: number; readonly rows: number }
  | { readonly kind: "tick"; readonly nowMs: number };

/** What is shown on a terminal. */
export interface Shown<M> {
  /** @returns whether somebody waits for the change, so that it is drawn at once */
  take(message: M | TerminalMessage): boolean;
  cells(): Cells;
  nowMs(): number;
  readonly tickMs: number;
}

/** Draws on a terminal and listens to its keys, until the signal is aborted. */
export class TerminalLoop<M> {
  readonly #ctl: Ctl;
  readonly #shown: Shown<M>;
  readonly #terminal: Terminal;
  readonly #opened: OpenTerminal;
  readonly #screen: MonitorScreen;
  readonly #bell: Bell;
  #messages: (M | TerminalMessage)[] = [];
  #typed = "";
  /** What was typed last is still waited for. */
  #escapeAtMs: number | null = null;
  /** Somebody has pressed a key, or the screen is another: it is drawn at once. */
  #isAsked = true;
  /** The terminal is somebody else's until this process goes on. */
  #isAway = false;
  #drawnAtMs = Number.NEGATIVE_INFINITY;
  #failure: Error | null = null;

  constructor(terminal: Terminal, ctl: Ctl, shown: Shown<M>) {
    this.#ctl = ctl;
    this.#shown = shown;
    this.#terminal = terminal;
    this.#screen = new MonitorScreen(ctl.output);
    this.#bell = new Bell(ctl.process.clock);
    this.#opened = terminal.open({
      typed: (text) => this.#guarded(() => this.#onTyped(text)),
      resized: () => this.#guarded(() => this.redraw()),
      leaving: () => {
        this.#isAway = true;
        this.#screen.leave();
      },
      back: () => {
        this.#isAway = false;
        this.redraw();
      },
    });
  }

  /** @throws what has failed meanwhile */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#ctl.process;
    const { tickMs } = this.#shown;
    const stop = every(clock, tickMs, () => this.tell({ kind: "tick", nowMs: this.#shown.nowMs() }));
    try {
      while (!signal.aborted && this.#failure === null) {
        for (const message of this.#messages.splice(0)) if (this.#shown.take(message)) this.#isAsked = true;
        if (this.#isAsked || clock.monotonicMs() - this.#drawnAtMs >= FRAME_MS) this.#draw();
        else {
          await this.#bell.wait(FRAME_MS - (clock.monotonicMs() - this.#drawnAtMs), signal);
          if (this.#isAsked || this.#messages.length > 0) continue;
          this.#draw();
        }
        await this.#bell.wait(this.#escapeAtMs === null ? tickMs : ESCAPE_MS, signal);
        this.#takeEscape();
      }
    } finally {
      stop();
    }
    if (this.#failure !== null) throw this.#failure;
  }

  /** The terminal is again as it was. */
  close(): void {
    this.#screen.leave();
    this.#opened.close();
  }

  tell(message: M | TerminalMessage): void {
    this.#messages.push(message);
    this.#bell.ring();
  }

  suspend(): void {
    this.#opened.suspend();
  }

  redraw(): void {
    this.#screen.forget();
    this.tell({ kind: "resized", ...this.#terminal.size() });
  }

  failed(error: unknown): void {
    this.#failure = error instanceof Error ? error : new Error(String(error));
    this.#bell.ring();
  }

  /** What goes wrong where nobody waits for it ends all like anything else, once the terminal is as it was. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.failed(error);
    }
  }

  #draw(): void {
    this.#isAsked = false;
    this.#drawnAtMs = this.#ctl.process.clock.monotonicMs();
    if (!this.#isAway) this.#screen.draw(this.#shown.cells());
  }

  #onTyped(text: string): void {
    const { keys, rest } = keysIn(this.#typed + text, false);
    this.#typed = rest;
    this.#escapeAtMs = rest === "" ? null : this.#ctl.process.clock.monotonicMs();
    for (const key of keys) this.tell({ kind: "key", key });
    if (rest !== "") this.#bell.ring();
  }

  #takeEscape(): void {
    const { clock } = this.#ctl.process;
    if (this.#escapeAtMs === null || clock.monotonicMs() - this.#escapeAtMs < ESCAPE_MS) return;
    this.#escapeAtMs = null;
    const { keys } = keysIn(this.#typed, true);
    this.#typed = "";
    for (const key of keys) this.tell({ kind: "key", key });
  }
}
