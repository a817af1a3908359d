import { endedAt, reasonOf, stageNow } from "../core/deploy_state.ts";
import { stageText } from "../core/stages.ts";
import type { DeployRecord } from "../schema/deploy_record.ts";
import { secondsBetween } from "../view/times.ts";
import { limitsFields } from "./service_text.ts";

/** One deploy's record in JSON, as `status` and `history` show it. */
export function deployFields(id: string, record: DeployRecord, now: Date) {
  const { build, previous, who, why, stages, state, limits, times } = record;
  const ended = endedAt(record);
  return {
    id,
    build,
    previous,
    who,
    why,
    stages: stages.map(stageText),
    stage: stageNow(record),
    state,
    reason: reasonOf(record),
    limits: limitsFields(limits),
    acts: record.acts,
    created: times.created,
    changed: times.changed,
    ended,
    duration_s: secondsBetween(times.created, ended ?? now),
  };
}

/** What a command answers with that starts or changes a deploy, and does not follow it. */
export function changedDocument(
  service: string,
  { id, record }: { readonly id: string; readonly record: DeployRecord },
) {
  return { schema: "deployd.ctl.deploy/1", service, deploy: id, build: record.build, state: record.state };
}
