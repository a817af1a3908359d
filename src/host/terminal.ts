import { readFileSync } from "node:fs";
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
  /** Sends this process the signal that a terminal sends for Ctrl-C. */
  readonly interruptItself: () => void;
}

/** The terminal that this process was started from. */
export function terminalOf(own: TerminalProcess): Terminal {
  return {
    size: () => ({ columns: own.columns(), rows: own.rows() }),
    isOurs: isForeground,
    open: (events) => opened(own, events),
  };
}

/** A terminal that has gone is told by SIGHUP. This stays: it may go at any time later. */
const gone = (): void => {};

function opened(
  { stdin, onSignal, stopItself, interruptItself }: TerminalProcess,
  events: TerminalEvents,
): OpenTerminal {
  const typed = (chunk: Buffer | string): void => events.typed(chunk.toString());
  let isOpen = true;
  const suspend = (): void => {
    events.leaving();
    stdin.setRawMode(false);
    stopItself();
  };
  const take = (): void => {
    stdin.setRawMode(true);
    stdin.resume();
  };
  if (!stdin.listeners("error").includes(gone)) stdin.on("error", gone);
  stdin.on("data", typed);
  take();
  const listeners = [
    onSignal("SIGWINCH", events.resized),
    onSignal("SIGTSTP", suspend),
    // Whoever stopped it, and whatever was on the screen meanwhile. In the background, after "bg", the keyboard is the shell's:
    // whoever reads it or sets it there is stopped again.
    onSignal("SIGCONT", () => {
      if (isForeground()) take();
      else stdin.pause();
      events.back();
    }),
  ];
  return {
    suspend,
    interrupt: interruptItself,
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      for (const forget of listeners) forget();
      stdin.off("data", typed);
      if (isForeground()) stdin.setRawMode(false);
      stdin.pause();
    },
  };
}

/** Whether keys that are typed are for this process, and not for the shell or another job: proc_pid_stat(5), pgrp and tpgid. */
function isForeground(): boolean {
  const stat = readFileSync("/proc/self/stat", "utf8");
  // The name of the program stands in brackets before them, and may have anything in it.
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return group === foreground;
}
