import type { Journal } from "../schema/journal.ts";
import type { CurrentLink, InstanceServed, Served } from "./served.ts";
import type { Target } from "./targets.ts";

/** What is observed on the host, for the wanted build where it depends on one. */
export interface Actual {
  readonly current: CurrentLink;
  readonly served: Served;
  /** The same, of each instance; at least one. */
  readonly instances: readonly InstanceServed[];
  /**
   * Who starts the service when it is down. Nobody but deployd starts one that is run by commands; any other has a
   * supervisor of its own, and may have been stopped on purpose.
   */
  readonly startedBy: "deployd" | "supervisor";
  /** Instances that are down, that nobody is about to start, and that deployd could; only looked for after a boot. */
  readonly stopped: readonly string[];
  /** `<root>/releases/<build>` of the wanted build. */
  readonly release: "absent" | "extracted" | "installed";
  /** The wanted build's archive in its staging directory. */
  readonly spool: "absent" | "partial" | "fetched" | "verified";
}

/** Permission to take this host out of service. */
export type Permission =
  | { readonly kind: "granted" }
  /** Nothing is in service here, and the service has no deploy running: there is nothing to protect. */
  | { readonly kind: "free" }
  /** Granted to a host that was out of service, and it is well again: others may be out by now in its place. */
  | { readonly kind: "void" }
  | { readonly kind: "none" };

/** That the service passed its check under an attempt, and when. Kept in memory: after a crash it is checked again. */
export interface Proof {
  readonly build: string;
  readonly attempt: number;
  readonly atMs: number;
  /** It was asked again since, to the end of its soak or when that was cut short. */
  readonly soaked: boolean;
}

export interface Situation {
  readonly target: Target;
  readonly actual: Actual;
  readonly journal: Journal;
  readonly permission: Permission;
  readonly proof: Proof | null;
  /** The service was found running for this wish, and ill: until it is served once it is restarted into the build that it has. */
  readonly isIll: boolean;
  /** Of the wish. */
  readonly soakMs: number;
  readonly maxInstalls: number;
  /** How many instances restart at once. */
  readonly batch: number;
  /** Tells one boot of the machine from the next. */
  readonly bootId: string;
  readonly nowMs: number;
  /** What `current` points at is not to be started any more: it was barred, or a rollback leads away from it. */
  readonly isUnwanted: boolean;
  /** ZooKeeper has been away for so long that a service is not left down for its word. */
  readonly isAlone: boolean;
}
