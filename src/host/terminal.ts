import type { ReadStream } from "node:tty";
import type { Terminal, TerminalEvents, OpenTerminal } from "../support/terminal.ts";

type TerminalSignal = "SIGWINCH" | "SIGCONT" | "SIGTSTP";

/** What of this process a terminal needs. Only main.ts hands it over. */
export interface TerminalProcess {
  readonly stdin: ReadStream;
  readonly columns: () => number;
  readonly rows: () => number;
  /** @returns what takes the listener away again */
  readonly onSignal: (name: TerminalSignal, listener: () => void) => () => void;
  /** Stops this process as the shell's job control does. */
  readonly stopItself: () => void;
}

/** The terminal that this process was started from. */
export function terminalOf(own: TerminalProcess): Terminal {
  return {
    size: () => ({ columns: own.columns(), rows: own.rows() }),
    open: (events) => opened(own, events),
  };
}

function opened({ stdin, onSignal, stopItself }: TerminalProcess, events: TerminalEvents): OpenTerminal {
  const typed = (chunk: Buffer | string): void => events.typed(chunk.toString());
  let isOpen = true;
  const suspend = (): void => {
    events.leaving();
    stdin.setRawMode(false);
    stopItself();
  };
  // A terminal that has gone is told by SIGHUP.
  const gone = (): void => {};
  stdin.setRawMode(true);
  stdin.on("error", gone);
  stdin.on("data", typed);
  stdin.resume();
  const listeners = [
    onSignal("SIGWINCH", events.resized),
    onSignal("SIGTSTP", suspend),
    // Whoever stopped it, and whatever was on the screen meanwhile.
    onSignal("SIGCONT", () => {
      stdin.setRawMode(true);
      events.back();
    }),
  ];
  return {
    suspend,
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      for (const forget of listeners) forget();
      stdin.off("data", typed);
      stdin.setRawMode(false);
      stdin.pause();
    },
  };
}
