export { emptyJournal } from "../schema/journal.ts";
export type {
  Activation,
  ActivationPhase,
  Journal,
  ProcessStamp,
  Roll,
  RollCounts,
  StepFailure,
} from "../schema/journal.ts";

/** What ZooKeeper wants of this host for one service. */
export type Target =
  /** ZooKeeper has not been read yet: nothing may be concluded, not even that there is no wish. */
  { kind: "unknown" } | { kind: "none" } | { kind: "build"; build: string; deploy: string };

/** `<root>/current`, as found on disk. */
export type LinkState =
  | { kind: "absent" }
  | { kind: "link"; build: string; changedAtMs: number }
  /** Not a link into `releases/`: somebody else's, never touched. */
  | { kind: "foreign"; what: string };

/** What the processes of the service say that they run. */
export type Served =
  | { kind: "down" }
  | { kind: "build"; build: string }
  /** Something runs, or may run, and does not show which build: an nginx that reads its site through `current`. */
  | { kind: "unknown" };

/** What one instance runs. */
export interface InstanceServed {
  readonly name: string;
  readonly served: Served;
}
