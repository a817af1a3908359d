import type { Clock } from "../support/clock.ts";
import type { Dial } from "../zookeeper/dial.ts";

/** Everything of the operating system that `deployd ctl` touches. Only main.ts makes one. */
export interface CtlProcess {
  readonly stdout: { write(text: string): void };
  readonly stderr: { write(text: string): void };
  readonly stdoutIsTerminal: boolean;
  /** Width of the terminal, in columns. */
  columns(): number;
  /** Height of the terminal, in rows; unlimited where it is not given. */
  rows?(): number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted on SIGINT and SIGTERM, with the signal's name as its reason. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  now(): Date;
  /** How a ZooKeeper server is reached; by TCP unless given. */
  readonly dial?: Dial;
  /** Who is recorded as the author of what this command does, as in `ana@laptop`. */
  readonly user: string;
  /** Of this program. */
  readonly version: string;
}
