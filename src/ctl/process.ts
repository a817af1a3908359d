import type { Process } from "../cli/process.ts";
import type { Dial } from "../zookeeper/dial.ts";

/** Everything of the operating system that `deployd ctl` touches. */
export interface CtlProcess extends Process {
  /** Width of the terminal, in columns. */
  columns(): number;
  /** Height of the terminal, in rows; unlimited if not given. */
  rows?(): number;
  now(): Date;
  /** How to connect to a ZooKeeper server; by TCP unless given. */
  readonly dial?: Dial;
  /** Who is recorded as the author of what a verb does, as in `ana@laptop`. */
  readonly user: string;
}
