import type { DeployRecord } from "../schema/znodes.ts";
import { secondsBetween } from "./times.ts";

/** One deploy's record in JSON, as `status` and `history` show it. */
export function deployFields(id: string, record: DeployRecord, now: Date) {
  const { build, previous, who, why, stages, stage, state, awaitingPromotion, reason, limits, times } = record;
  return {
    id,
    build,
    previous,
    who,
    why,
    stages,
    stage,
    state,
    awaiting_promotion: awaitingPromotion,
    reason,
    limits: { max: limits.max, budget: limits.budget, soak_s: limits.soakMs / 1000 },
    created: times.created,
    changed: times.changed,
    ended: times.ended ?? null,
    duration_s: secondsBetween(times.created, times.ended ?? now),
  };
}
