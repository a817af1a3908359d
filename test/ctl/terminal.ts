import { runVerb } from "../../src/cli/run.ts";
import { systemClock } from "../../src/support/clock.ts";
import type { Terminal as Screen } from "../../src/support/terminal.ts";
import type { Dial } from "../../src/zookeeper/dial.ts";
import { ctlAlone } from "../harness/ctl_alone.ts";

/** 2026-07-01 12:00:00 UTC: the time at which every golden test happens. */
export const noon = new Date("2026-07-01T12:00:00.000Z");

export interface CtlRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCtl {
  readonly finished: Promise<CtlRun>;
  /** What it has printed so far. */
  stdout(): string;
  stderr(): string;
  /** As if the person pressed Ctrl-C, or the system sent SIGTERM. */
  signal(name: "SIGINT" | "SIGTERM"): void;
}

export interface Terminal {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdoutIsTerminal?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  readonly now?: () => Date;
  readonly user?: string;
  readonly dial?: Dial;
  /** The keyboard and the screen, for a verb that takes all of them. */
  readonly screen?: Screen;
}

/** Runs `deployd ctl` in this process, on streams of its own. */
export function startCtl(argv: readonly string[], terminal: Terminal = {}): RunningCtl {
  const out: string[] = [];
  const err: string[] = [];
  const signals = new AbortController();
  const finished = runVerb(ctlAlone, ["ctl", ...argv], {
    stdout: { write: (text) => void out.push(text) },
    stderr: { write: (text) => void err.push(text) },
    stdoutIsTerminal: terminal.stdoutIsTerminal ?? false,
    columns: () => terminal.columns ?? 80,
    ...(terminal.rows === undefined ? {} : { rows: () => terminal.rows ?? 24 }),
    env: terminal.env ?? {},
    signal: signals.signal,
    clock: systemClock,
    ...(terminal.dial === undefined ? {} : { dial: terminal.dial }),
    ...(terminal.screen === undefined ? {} : { terminal: terminal.screen }),
    now: terminal.now ?? (() => noon),
    user: terminal.user ?? "ana@laptop",
    version: "0.1.0",
  }).then((code) => ({ code, stdout: out.join(""), stderr: err.join("") }));
  return {
    finished,
    stdout: () => out.join(""),
    stderr: () => err.join(""),
    signal: (name) => signals.abort(name),
  };
}

export async function ctl(argv: readonly string[], terminal: Terminal = {}): Promise<CtlRun> {
  return startCtl(argv, terminal).finished;
}
