import { endedAt, reasonOf } from "../core/deploy_state.ts";
import type { DeployRecord } from "../schema/deploy_record.ts";
import { secondsBetween } from "../view/times.ts";

/** One deploy's record in JSON, as `status` and `history` show it. */
export function deployFields(id: string, record: DeployRecord, now: Date) {
  const { build, previous, who, why, stages, stage, state, limits, times } = record;
  const ended = endedAt(record);
  return {
    id,
    build,
    previous,
    who,
    why,
    stages,
    stage,
    state,
    reason: reasonOf(record),
    limits: { max: limits.max, budget: limits.budget, soak_s: limits.soakMs / 1000 },
    created: times.created,
    changed: times.changed,
    ended,
    duration_s: secondsBetween(times.created, ended ?? now),
  };
}
