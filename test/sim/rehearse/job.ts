import type { WorldPlan } from "../fleet/world_plan.ts";
import type { DeathKind } from "../host/life.ts";

/** The death of one agent, or of its machine, at one of its effects. */
export interface PlannedDeath {
  readonly host: string;
  /** Of the effects that the host's agents make after the service was furnished, from 1. */
  readonly effect: number;
  readonly how: DeathKind;
  readonly when: "before" | "halfway" | "after";
}

/** Something to be played in a process of its own. */
export type Job = (
  | { readonly kind: "seed"; readonly seed: string; readonly changes: Partial<WorldPlan> }
  /** The scripted deploy, with these deaths. */
  | { readonly kind: "deaths"; readonly deaths: readonly PlannedDeath[] }
) & {
  /** Virtual time at which it is broken off, in milliseconds; what comes later is not of interest. */
  readonly untilMs?: number;
};

export function nameOf(job: Job): string {
  switch (job.kind) {
    case "seed":
      return `seed ${job.seed}${Object.keys(job.changes).length === 0 ? "" : ` of worlds ${JSON.stringify(job.changes)}`}`;
    case "deaths":
      return job.deaths.map(({ host, effect, how, when }) => `${how} of ${host} ${when} effect ${effect}`).join(", ");
  }
}
