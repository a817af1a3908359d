import type { Process } from "../cli/process.ts";
import type { HttpAnswer, HttpPort } from "../support/http_port.ts";
import type { Terminal } from "../support/terminal.ts";
import type { Dial } from "../zookeeper/dial.ts";

/** Everything of the operating system that `deployd ctl` touches. */
export interface CtlProcess extends Process {
  /** Width of the terminal, in columns. */
  columns(): number;
  /** Height of the terminal, in rows; unlimited if not given. */
  rows?(): number;
  /** Null where there is no keyboard or no screen that can be drawn on; none unless given. */
  readonly terminal?: Terminal | null;
  now(): Date;
  /** How to connect to a ZooKeeper server; by TCP unless given. */
  readonly dial?: Dial;
  /** Answers HTTP at `address:port`, for those who look at the page; not at all unless given. */
  serve?(answer: HttpAnswer, listen: string): Promise<HttpPort>;
  /** Who is recorded as the author of what a verb does, as in `ana@laptop`. */
  readonly user: string;
}
