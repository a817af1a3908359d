import type { Terminal, TerminalEvents } from "../../src/support/terminal.ts";

/** A screen with a keyboard, and whether it was given back. */
export class FakeScreen implements Terminal {
  events: TerminalEvents | null = null;
  isClosed = false;
  size = (): { columns: number; rows: number } => ({ columns: 100, rows: 30 });

  readonly isOurs = (): boolean => true;

  readonly open: Terminal["open"] = (events) => {
    this.events = events;
    return { suspend: () => {}, interrupt: () => {}, close: () => void (this.isClosed = true) };
  };
}
