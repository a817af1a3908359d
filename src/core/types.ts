import type { ErrorCode } from "./errors.ts";
import type { HostStep } from "../schema/znodes.ts";
import type { RestartPhase, TrafficSpec } from "./traffic.ts";

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

export interface ProcessStamp {
  readonly pid: number;
  /** Clock ticks since boot, from /proc/<pid>/stat: with the pid it names one process for as long as the kernel runs. */
  readonly startTicks: number;
  /** The instance it belongs to, where that is known. */
  readonly instance?: string | null | undefined;
}

/** Why a build did not come to life here. */
export interface StepFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly step: HostStep;
  /** The end of the step's output; empty when it has none. */
  readonly log: string;
  readonly atMs: number;
}

/** What one instance runs. */
export interface InstanceServed {
  readonly name: string;
  readonly served: Served;
}

/** The restart of a service's instances, batch after batch; on disk before each change. */
export interface Roll {
  /** How often the restart of this batch was begun. */
  readonly begun: number;
  /** The instances that are being restarted; empty between two batches. */
  readonly batch: readonly string[];
  /** Those that are still to be restarted, `batch` among them; empty when it is done. */
  readonly left: readonly string[];
}

/** What restarts cost the clients, added up over an activation. */
export interface RollCounts {
  readonly instances: number;
  /** Connections that were open when their instance was stopped; null where nothing can count them. */
  readonly closed: number | null;
  /** Connections refused while traffic was off, as far as the traffic back end can tell; null where it cannot. */
  readonly refused: number | null;
  /** Phases that failed or ran into their deadline, and did not call the restart off because they were forced. */
  readonly forced: readonly RestartPhase[];
  readonly phaseMs: Readonly<Partial<Record<RestartPhase, number>>>;
}

export type ActivationPhase =
  | { readonly kind: "forward"; readonly restart: Roll }
  /** Checked and soaked; the slot is being given back. */
  | { readonly kind: "proven" }
  /** The build failed; the host works its way back to the previous one. */
  | { readonly kind: "back"; readonly failure: StepFailure; readonly restart: Roll }
  /** Going back failed too, or there is nothing to go back to. */
  | { readonly kind: "stuck"; readonly failure: StepFailure; readonly second: StepFailure | null };

/** ACTIVATE in progress, from before the flip until the slot is given back. */
export interface Activation {
  readonly build: string;
  readonly deploy: string;
  readonly previous: string | null;
  readonly attempt: number;
  readonly phase: ActivationPhase;
  readonly counts: RollCounts;
}

/** What a host cannot observe and must not forget: `<root>/state.json`. */
export interface Journal {
  readonly version: 1;
  /** Numbers the wishes this host has taken up; grows with each, so that a grant for an older one is never mistaken. */
  readonly attempt: { readonly number: number; readonly deploy: string; readonly build: string } | null;
  /** The deploy whose slot this host asked for. */
  readonly asked: { readonly deploy: string; readonly attempt: number } | null;
  /** Times that the install steps of `build` were begun for `deploy`. */
  readonly installs: { readonly deploy: string; readonly build: string; readonly begun: number } | null;
  readonly activation: Activation | null;
  /**
   * Instances whose traffic is off, or may be: written before it is turned off. `bootId` is the kernel's: rules do not
   * outlive a boot. `by` is the kind of back end, whose traces are removed when the host uses another.
   */
  readonly traffic: { readonly by: TrafficSpec["by"]; readonly off: readonly string[]; readonly bootId: string } | null;
  /** What the last restarts cost. */
  readonly lastRoll: (RollCounts & { readonly build: string; readonly deploy: string }) | null;
  /** The build that failed here, not to be tried again under the same deploy. */
  readonly failed: {
    readonly deploy: string;
    readonly build: string;
    readonly failure: StepFailure;
    readonly attempt: number;
    /** False when ZooKeeper has not taken the report yet. */
    readonly reported: boolean;
    readonly healthy: boolean;
  } | null;
  /** The processes that ran after the last restart that passed its check, and the build they were started from. */
  readonly restarted: { readonly build: string; readonly processes: readonly ProcessStamp[] } | null;
  /** The last two builds that passed check and soak, newest first. */
  readonly proven: readonly string[];
}

export const emptyJournal: Journal = {
  version: 1,
  attempt: null,
  asked: null,
  installs: null,
  activation: null,
  traffic: null,
  lastRoll: null,
  failed: null,
  restarted: null,
  proven: [],
};
