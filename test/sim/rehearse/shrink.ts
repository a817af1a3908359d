import type { WorldPlan } from "../fleet/world_plan.ts";
import type { Job } from "./job.ts";
import type { Performance } from "./performance.ts";
import { play } from "./play.ts";

/** Smaller and calmer worlds that may show the same. */
function smaller(plan: WorldPlan): Partial<WorldPlan>[] {
  const all: Partial<WorldPlan>[] = [
    { deploys: 1 },
    { deploys: Math.max(1, plan.deploys - 1) },
    { hosts: 3, canaries: Math.min(plan.canaries, 1), max: Math.min(plan.max, 2) },
    { hosts: Math.max(3, plan.hosts - 2), max: Math.min(plan.max, 3) },
    { canaries: 0 },
    { instances: 1, traffic: "none", formerTraffic: "none" },
    { servers: 1 },
    { clockErrorMs: 0 },
    { reimages: 0 },
    { leaves: 0 },
    { errandEveryS: 0 },
    { pastDeploys: 0 },
    { formerTraffic: plan.traffic },
    { faultsPerMinute: Math.max(1, Math.floor(plan.faultsPerMinute / 2)) },
    { soakMs: 0 },
    { restart: "command" },
  ];
  return all.filter((changes) =>
    Object.entries(changes).some(([key, value]) => plan[key as keyof WorldPlan] !== value),
  );
}

const MOST_TRIES = 120;

/**
 * The smallest world that can be found in which the same is broken. A world that is changed in anything takes another
 * course, so this is a search and not a cut: each smaller plan is tried under a few seeds.
 */
export function shrink(job: Extract<Job, { kind: "seed" }>, found: Performance): { job: Job; result: Performance } {
  const wanted = found.violations[0]?.invariant;
  let best: { job: Extract<Job, { kind: "seed" }>; result: Performance } = { job, result: found };
  for (let tries = 0, isSmaller = true; isSmaller && tries < MOST_TRIES;) {
    isSmaller = false;
    for (const changes of smaller(best.result.plan)) {
      for (const seed of [best.job.seed, `${job.seed}-a`, `${job.seed}-b`, `${job.seed}-c`]) {
        tries += 1;
        const next: typeof job = { kind: "seed", seed, changes: { ...best.result.plan, ...changes } };
        const result = play(next);
        if (result.violations[0]?.invariant !== wanted || result.story.length >= best.result.story.length) continue;
        best = { job: next, result };
        isSmaller = true;
        break;
      }
      if (isSmaller || tries >= MOST_TRIES) break;
    }
  }
  return best;
}
