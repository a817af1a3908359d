import { hostStateSchema, type HostState } from "../schema/host_state.ts";
import type { TimelineRecord } from "../schema/timeline.ts";
import type { StateCounts } from "./host_state.ts";
import { MOST_GAPS, type Timeline } from "./timeline.ts";
import { halved, type Sample } from "./timeline_samples.ts";

/** What the record of a timeline takes at most, in bytes, however large the fleet and however long the deploy. */
export const MOST_TIMELINE_BYTES = 16_384;
/** What these lists take at most of it, so that room is left for those samples that always stay. */
const MOST_OF = { failed: 5_000, slowest: 3_500, marks: 3_000 } as const;

/**
 * The text of a timeline's record, which is never larger than it may be, and the timeline as far as that has it. Where
 * there is no room, lists lose their last entries, marks those in the middle, and samples every other one.
 */
export function timelineText(timeline: Timeline): { readonly text: string; readonly timeline: Timeline } {
  let fitting = withShortLists(timeline);
  for (;;) {
    const text = JSON.stringify(recordOf(fitting));
    if (bytesOf(text) <= MOST_TIMELINE_BYTES) return { text, timeline: fitting };
    fitting = { ...fitting, ...halved(fitting) };
  }
}

function withShortLists(timeline: Timeline): Timeline {
  const { failed, slowest } = timeline;
  let { marks, marksLeftOut } = timeline;
  while (bytesOf(JSON.stringify(marks)) > MOST_OF.marks) {
    marks = marks.toSpliced(Math.floor(marks.length / 2), 1);
    marksLeftOut += 1;
  }
  return {
    ...timeline,
    marks,
    marksLeftOut,
    slowest: beginningOf(slowest, MOST_OF.slowest),
    failed: { ...failed, first: beginningOf(failed.first, MOST_OF.failed) },
  };
}

function beginningOf<T>(list: readonly T[], bytes: number): T[] {
  let kept = [...list];
  while (bytesOf(JSON.stringify(kept)) > bytes) kept = kept.slice(0, -1);
  return kept;
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

function recordOf({ samples, startedAtMs, ...rest }: Timeline): TimelineRecord {
  const states = hostStateSchema.options.filter((state) => samples.some(({ counts }) => (counts[state] ?? 0) > 0));
  const added = (values: readonly number[]): number[] => values.map((value, at) => value - (values[at - 1] ?? 0));
  return {
    started: new Date(startedAtMs).toISOString(),
    ...rest,
    gaps: [...rest.gaps],
    marks: [...rest.marks],
    slowest: [...rest.slowest],
    stepsMs: added(samples.map(({ atMs }) => atMs)),
    counts: Object.fromEntries(states.map((state) => [state, added(samples.map(({ counts }) => counts[state] ?? 0))])),
  };
}

/** The timeline that a record tells. What a newer deployd has added is not carried along: there may be no room for it. */
export function timelineIn(record: TimelineRecord): Timeline {
  const { started, stepsMs, counts, untilMs, everyMs, gaps, marks, marksLeftOut, slowest, failed } = record;
  const columns = Object.entries(counts) as [HostState, number[]][];
  const totals = new Map<HostState, number>();
  let atMs = 0;
  const samples = stepsMs.map((stepMs, at): Sample => {
    atMs += stepMs;
    const now: Partial<Record<HostState, number>> = {};
    for (const [state, column] of columns) {
      const count = (totals.get(state) ?? 0) + (column[at] ?? 0);
      totals.set(state, count);
      if (count > 0) now[state] = count;
    }
    return { atMs, counts: now satisfies StateCounts };
  });
  return {
    startedAtMs: new Date(started).getTime(),
    untilMs,
    everyMs,
    samples,
    // Of a record that somebody else has written there may be more than fit.
    gaps: gaps.slice(-MOST_GAPS).map(({ fromMs, toMs }) => ({ fromMs, toMs })),
    marks,
    marksLeftOut,
    slowest,
    failed: { hosts: failed.hosts, first: failed.first },
  };
}
