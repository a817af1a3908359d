import type { Clock } from "../support/clock.ts";

/** What every verb needs of the operating system; some need more. Only main.ts makes one. */
export interface Process {
  readonly stdout: { write(text: string): void };
  readonly stderr: { write(text: string): void };
  readonly stdoutIsTerminal: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted on SIGINT and SIGTERM, and when stdout cannot be written; its reason is a `CalledOff`. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** The version of this program. */
  readonly version: string;
}
