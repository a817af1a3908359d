import { canariesFirst, toEverybody } from "../../src/core/stages.ts";
import { deployRecordSchema, type DeployRecord, type DeployState } from "../../src/schema/deploy_record.ts";

const TIME = "2026-01-01T00:00:00.000Z";

/**
 * A deploy from v1 to v2, in any state, with what belongs to that state: one that is on canary hosts, or waits, has come to
 * those alone, every other one to everybody. One that stands still was rolling before.
 */
export function recordIn(state: DeployState, changes: Readonly<Record<string, unknown>> = {}): DeployRecord {
  const canary = state === "canary" || state === "awaiting promotion";
  const ended = state === "done" || state === "halted" || state === "aborted" || state === "rolled back";
  const back = state === "rolling back" || state === "rolled back";
  const stopped = state === "paused" || state === "halted";
  return deployRecordSchema.parse({
    build: "v2",
    previous: "v1",
    who: "",
    why: "",
    stages: canary ? canariesFirst : toEverybody,
    stage: 0,
    ...(canary ? {} : { reach: { zones: [], below: 1 } }),
    limits: { max: 1, budget: 0, soakMs: 0 },
    state,
    times: { created: TIME, changed: TIME, ...(ended ? { ended: TIME } : {}) },
    ...(back ? { rollback: { who: "", why: "", time: TIME, from: "rolling", to: "v1" } } : {}),
    ...(stopped ? { from: "rolling" } : {}),
    ...changes,
  });
}
