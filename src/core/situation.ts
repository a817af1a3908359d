import type { Journal } from "../schema/journal.ts";
import type { Slot } from "../schema/znodes.ts";
import type { CurrentLink, InstanceServed, Served } from "./served.ts";
import type { Leave } from "./leaving.ts";
import type { Target } from "./targets.ts";

/** What is observed on the host; some of it concerns the wanted build. */
export interface Actual {
  readonly current: CurrentLink;
  readonly served: Served;
  /** What each instance serves; at least one. */
  readonly instances: readonly InstanceServed[];
  /**
   * Who starts the service when it is down. Nobody but deployd starts one that is run by commands; any other has a
   * supervisor of its own, and may have been stopped on purpose.
   */
  readonly startedBy: "deployd" | "supervisor";
  /** Instances that are down, that nobody is about to start, and that deployd could start; only looked for after a boot. */
  readonly stopped: readonly string[];
  /** `<root>/releases/<build>` of the wanted build. */
  readonly release: "absent" | "extracted" | "installed";
  /** The wanted build's archive in its staging directory. */
  readonly spool: "absent" | "partial" | "fetched" | "verified";
}

/** Permission to take this host out of service. */
export type Permission =
  | { readonly kind: "granted"; readonly slot: Slot }
  /** Nothing is in service here, and the service has no deploy running: there is nothing to protect. */
  | { readonly kind: "free" }
  | { readonly kind: "none" };

/** That the service passed its check under an attempt, and when. Kept in memory: after a crash the check is repeated. */
export interface Proof {
  readonly build: string;
  readonly attempt: number;
  readonly atMs: number;
  /** It was checked again since, at the end of its soak or when that was cut short. */
  readonly soaked: boolean;
}

export interface Situation {
  readonly target: Target;
  /** How many times the wished deploy was tried again. */
  readonly again: number;
  readonly actual: Actual;
  readonly journal: Journal;
  readonly permission: Permission;
  readonly proof: Proof | null;
  /**
   * The service was found running for this wish, but unhealthy: until it serves, it is restarted once into the build that
   * it has.
   */
  readonly isIll: boolean;
  /** The wish is to restart what runs, also where that is its build already. */
  readonly restarts: boolean;
  /** Whether the host is to leave the fleet. */
  readonly leave: Leave;
  /** It is held, so that it may take its service out of service for that. */
  readonly mayLeave: boolean;
  /** The soak time that the wish names. */
  readonly soakMs: number;
  readonly maxInstalls: number;
  /** How many instances restart at once. */
  readonly batch: number;
  /** Differs from one boot of the machine to the next. */
  readonly bootId: string;
  readonly nowMs: number;
  /** The build that `current` points at is not to be started any more: it was barred, or a rollback leads away from it. */
  readonly isUnwanted: boolean;
  /** ZooKeeper has been away for so long that a service is not left down any longer to wait for its answer. */
  readonly isAlone: boolean;
}
