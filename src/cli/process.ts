import type { Clock } from "../support/clock.ts";

/** What every verb has of the operating system; some have more. Only main.ts makes one. */
export interface Process {
  readonly stdout: { write(text: string): void };
  readonly stderr: { write(text: string): void };
  readonly stdoutIsTerminal: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted on SIGINT and SIGTERM, and when stdout cannot be written, with a `CalledOff` as its reason. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Of this program. */
  readonly version: string;
}
