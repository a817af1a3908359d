import { isRunning } from "../../../src/core/deploy_state.ts";
import { MOST_TIMELINE_BYTES, timelineIn } from "../../../src/core/timeline_record.ts";
import { fleetSize, outIn } from "../../../src/core/timeline_samples.ts";
import type { Timeline } from "../../../src/core/timeline.ts";
import { timelineRecordSchema } from "../../../src/schema/timeline.ts";
import type { Checker } from "./checker.ts";
import type { DeployEntry } from "./tree_view.ts";

type Judged = Pick<Checker, "ledger" | "tree">;

/**
 * What the deploys have left of how they went. Of one that a newer deploy has taken the hosts from, the last word may have
 * been lost with a conductor; the newest has all of it once everything is at rest.
 */
export function judgeTimelines(judged: Judged): void {
  const { ledger, tree } = judged;
  const read = new Map<string, Timeline>();
  for (const [id, text] of tree.timelines) {
    const timeline = timelineTold(judged, id, text);
    if (timeline !== null) read.set(id, timeline);
    if (!tree.deploys.has(id)) ledger.broken("timeline", `there is one of ${id}, which is not on record`);
  }
  const newest = tree.newest();
  if (newest !== null) judgeNewest(judged, newest, read.get(newest.id) ?? null);
}

function timelineTold({ ledger }: Judged, id: string, text: string): Timeline | null {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes > MOST_TIMELINE_BYTES) ledger.broken("timeline", `that of ${id} takes ${bytes} bytes`);
  const parsed = timelineRecordSchema.safeParse(JSON.parse(text));
  if (!parsed.success) {
    ledger.broken("timeline", `that of ${id} cannot be read: ${parsed.error.message}`);
    return null;
  }
  const timeline = timelineIn(parsed.data);
  const times = [...timeline.samples.map(({ atMs }) => atMs), timeline.untilMs];
  if (times.some((atMs, at) => atMs < (times[at - 1] ?? 0)))
    ledger.broken("timeline", `that of ${id} goes back in time`);
  return timeline;
}

/** Only a conductor calls a deploy done or rolled back, and it has watched how it came to that. */
function judgeNewest({ ledger, tree }: Judged, { id, record, states }: DeployEntry, timeline: Timeline | null): void {
  const { state } = record;
  const isConducted = states.length > 1 && (state === "done" || state === "rolled back");
  if (timeline === null) {
    if (isConducted) ledger.broken("timeline", `${id} is ${state}, and there is none of it`);
    return;
  }
  const last = timeline.marks.at(-1)?.state;
  if (!isRunning(record) && last !== state)
    ledger.broken("timeline", `${id} is ${state}, and its timeline ends with ${last}`);
  const counts = timeline.samples.at(-1)?.counts ?? {};
  if (isConducted && outIn(counts) > 0)
    ledger.broken("timeline", `${id} is ${state}, and its timeline ends with ${JSON.stringify(counts)}`);
  if (state === "done" && (counts.done ?? 0) === 0)
    ledger.broken("timeline", `${id} is done, and its timeline ends with nobody who is: ${JSON.stringify(counts)}`);
  // Hosts may come and go after the end.
  if (isConducted && fleetSize(counts) === 0 && tree.hosts.size > 0)
    ledger.broken("timeline", `${id} is ${state}, and its timeline ends without hosts`);
}
