import type { Edge, Violation } from "../checker/ledger.ts";
import type { Fault } from "../fleet/faults.ts";
import type { WorldPlan } from "../fleet/world_plan.ts";

/** What a rehearsal came to; plain data, since it may have been played in another process. */
export interface Performance {
  readonly name: string;
  readonly plan: WorldPlan;
  readonly violations: readonly Violation[];
  readonly edges: Readonly<Partial<Record<Edge, number>>>;
  readonly faults: Readonly<Partial<Record<Fault, number>>>;
  readonly deploys: number;
  /** Those that had a grant, and the faults between the first grant and the last release of each, all together. */
  readonly deploysWithGrants: number;
  readonly faultsInDeploys: number;
  /** Effects of each host's agents after the service was furnished. */
  readonly effects: Readonly<Record<string, number>>;
  /** Planned ones that have come. */
  readonly deaths: number;
  readonly virtualMs: number;
  /** The people have done what they had to do; false where it was broken off, by a violation or because it was asked for. */
  readonly isOver: boolean;
  readonly realMs: number;
  /** Of the whole story. */
  readonly hash: string;
  /** Only where something was broken. */
  readonly story: readonly string[];
}
