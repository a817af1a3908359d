import type { DeployState } from "../schema/deploy_record.ts";
import type { FailedHosts, Gap, SlowHost, TimelineMark } from "../schema/timeline.ts";
import type { StateCounts } from "./host_state.ts";
import { withSample, type Sample } from "./timeline_samples.ts";

/** How a deploy went, as its conductors have seen it. Instants are milliseconds after it was begun. */
export interface Timeline {
  /** When the deploy was begun, by ZooKeeper's clock, in epoch milliseconds. */
  readonly startedAtMs: number;
  /** When somebody looked last. */
  readonly untilMs: number;
  readonly everyMs: number;
  /** Each stands until the next one. */
  readonly samples: readonly Sample[];
  readonly gaps: readonly Gap[];
  readonly marks: readonly TimelineMark[];
  readonly marksLeftOut: number;
  /** The slowest first. */
  readonly slowest: readonly SlowHost[];
  readonly failed: FailedHosts;
}

/** What somebody saw of a deploy who looked at it. */
export interface Sighting {
  readonly atMs: number;
  /** All hosts of the service, by what they are to the deploy. */
  readonly counts: StateCounts;
  readonly change: DeployChange;
  readonly slowest: readonly SlowHost[];
  /** Who has failed as it stands now, the first first. */
  readonly failed: FailedHosts["first"];
}

/** The state of the deploy's own, and since when. */
export interface DeployChange {
  readonly state: DeployState;
  readonly stage: string;
  readonly atMs: number;
}

/** A conductor looks every second or two: one who has not looked for longer was not there, or saw nothing. */
const GAP_MS = 10_000;
export const MOST_GAPS = 24;
const MOST_MARKS = 40;
const MOST_SLOW = 10;
const MOST_FAILED = 20;
/** What is kept of a reason, in characters. */
const REASON_CHARS = 160;
/** Nobody looks more often than this. */
const FINEST_MS = 1_000;

export function newTimeline(startedAtMs: number): Timeline {
  return {
    startedAtMs,
    untilMs: 0,
    everyMs: FINEST_MS,
    samples: [],
    gaps: [],
    marks: [],
    marksLeftOut: 0,
    slowest: [],
    failed: { hosts: 0, first: [] },
  };
}

/** With one more look. Clocks may go back; a timeline does not. */
export function timelineAfter(before: Timeline, sighting: Sighting): Timeline {
  const atMs = Math.max(before.untilMs, Math.round(sighting.atMs));
  const isGap = atMs - before.untilMs > GAP_MS;
  const { samples, everyMs } = withSample(before, { atMs, counts: sighting.counts });
  const changed = withChange(before, sighting.change, atMs);
  return {
    ...changed,
    samples,
    everyMs,
    untilMs: atMs,
    gaps: isGap ? withGap(before.gaps, { fromMs: before.untilMs, toMs: atMs }) : before.gaps,
    slowest: slowestOf([...before.slowest, ...sighting.slowest]),
    failed: failedAfter(before.failed, sighting.failed),
  };
}

/** With what the deploy's record says of itself, and nothing of its hosts: a newer deploy has them. */
export function timelineLeft(before: Timeline, change: DeployChange): Timeline {
  return withChange(before, change, Math.max(before.untilMs, Math.round(change.atMs)));
}

/** Whether the deploy's own state, or its stage, is another than the last one that is marked. */
export function isNews({ marks }: Pick<Timeline, "marks">, { state, stage }: Omit<DeployChange, "atMs">): boolean {
  const last = marks.at(-1);
  return last?.state !== state || last.stage !== stage;
}

function withChange(before: Timeline, { state, stage, atMs }: DeployChange, untilMs: number): Timeline {
  if (!isNews(before, { state, stage })) return before;
  const { marks, marksLeftOut } = before;
  const since = marks.at(-1)?.atMs ?? 0;
  const mark = { atMs: Math.min(untilMs, Math.max(since, Math.round(atMs))), state, stage };
  const all = [...marks, mark];
  const tooMany = all.length > MOST_MARKS;
  // How it began and how it ended says most.
  return {
    ...before,
    marks: tooMany ? all.toSpliced(MOST_MARKS / 2, 1) : all,
    marksLeftOut: marksLeftOut + (tooMany ? 1 : 0),
  };
}

/** Where there are too many, the two become one that have the least between them. */
function withGap(gaps: readonly Gap[], gap: Gap): readonly Gap[] {
  const all = [...gaps, gap];
  if (all.length <= MOST_GAPS) return all;
  const between = (at: number): number => (all[at + 1]?.fromMs ?? 0) - (all[at]?.toMs ?? 0);
  let least = 0;
  for (let at = 1; at < all.length - 1; at += 1) if (between(at) < between(least)) least = at;
  const [one = gap, other = gap] = all.slice(least, least + 2);
  return all.toSpliced(least, 2, { fromMs: one.fromMs, toMs: other.toMs });
}

/** Each host once, with the longest that was told of it. */
function slowestOf(told: readonly SlowHost[]): SlowHost[] {
  const longest = new Map<string, SlowHost>();
  for (const each of told) if (each.ms > (longest.get(each.host)?.ms ?? 0)) longest.set(each.host, each);
  return [...longest.values()].toSorted((a, b) => b.ms - a.ms || (a.host < b.host ? -1 : 1)).slice(0, MOST_SLOW);
}

/** Who has failed stays so, though it is tried again: of those beyond the named ones only the number is known. */
function failedAfter(before: FailedHosts, now: FailedHosts["first"]): FailedHosts {
  const named = new Map(before.first.map((each) => [each.host, each]));
  const fresh = now.filter(({ host }) => !named.has(host));
  if (fresh.length === 0) return before;
  const areAllNamed = before.hosts === named.size;
  const hosts = Math.max(areAllNamed ? named.size + fresh.length : before.hosts, now.length);
  const room = fresh.slice(0, Math.max(0, MOST_FAILED - named.size));
  if (room.length === 0 && hosts === before.hosts) return before;
  return { hosts, first: [...before.first, ...room.map(({ host, reason }) => ({ host, reason: shortened(reason) }))] };
}

function shortened(reason: string): string {
  const line = reason.replace(/\s+/g, " ").trim();
  return line.length <= REASON_CHARS ? line : `${line.slice(0, REASON_CHARS - 1)}…`;
}
