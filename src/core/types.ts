import type { ErrorCode } from "./errors.ts";
import type { HostStep } from "../schema/znodes.ts";

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

/** How often a thing was begun and whether it ended well; `begun` is written to disk before each try. */
export interface Tries {
  readonly begun: number;
  readonly done: boolean;
}

export type ActivationPhase =
  | { readonly kind: "forward"; readonly restart: Tries }
  /** Checked and soaked; the slot is being given back. */
  | { readonly kind: "proven" }
  /** The build failed; the host works its way back to the previous one. */
  | { readonly kind: "back"; readonly failure: StepFailure; readonly restart: Tries }
  /** Going back failed too, or there is nothing to go back to. */
  | { readonly kind: "stuck"; readonly failure: StepFailure; readonly second: StepFailure | null };

/** ACTIVATE in progress, from before the flip until the slot is given back. */
export interface Activation {
  readonly build: string;
  readonly deploy: string;
  readonly previous: string | null;
  readonly attempt: number;
  readonly phase: ActivationPhase;
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
  failed: null,
  restarted: null,
  proven: [],
};
