import { newTimeline, timelineAfter, timelineLeft, type Sighting, type Timeline } from "../../src/core/timeline.ts";
import type { DeployState } from "../../src/schema/deploy_record.ts";
import type { HostState } from "../../src/schema/host_state.ts";
import type { ToldTimeline } from "../../src/view/timeline_words.ts";

/* Deploys as their conductors have seen them, the same in every run. */

const startedAtMs = Date.parse("2026-07-01T11:50:00.000Z");

type Counts = Partial<Record<HostState, number>>;
type Change = readonly [atS: number, state: DeployState, stage?: string];

function told(build: string, state: DeployState, timeline: Timeline): ToldTimeline {
  return {
    service: "web",
    deploy: "20260701-115000-ab12",
    record: { build, state, who: "ana@laptop" },
    timeline,
  };
}

/** Looks every second but where there is a gap. */
function watched(
  seconds: number,
  at: (second: number) => Counts,
  changes: readonly Change[],
  more: { readonly gap?: readonly [number, number]; readonly last?: Partial<Sighting> } = {},
): Timeline {
  let timeline = newTimeline(startedAtMs);
  for (let second = 1; second <= seconds; second += 1) {
    if (more.gap !== undefined && second > more.gap[0] && second < more.gap[1]) continue;
    const [atS, state, stage = "100%"] = changes.findLast(([from]) => from <= second) ?? [0, "preparing" as const];
    timeline = timelineAfter(timeline, {
      atMs: second * 1_000,
      counts: at(second),
      change: { state, stage, atMs: atS * 1_000 },
      slowest: [],
      failed: [],
      ...(second === seconds ? more.last : {}),
    });
  }
  return timeline;
}

/** Hosts go one after the other: some prepare, some wait, `out` restart at once, the others are done. */
function wave(fleet: number, from: number, perSecond: number, out: number) {
  return (second: number): Counts => {
    if (second < 10)
      return {
        preparing: fleet - Math.min(fleet, second * Math.ceil(fleet / 12)),
        ready: Math.min(fleet, second * Math.ceil(fleet / 12)),
      };
    const begun = Math.max(0, Math.min(fleet, Math.floor((second - from) * perSecond)));
    const done = Math.max(0, begun - out);
    const working = begun >= fleet ? Math.max(0, fleet - Math.floor((second - from) * perSecond - out)) : begun - done;
    const through = fleet - (begun >= fleet ? working : 0);
    const finished = begun >= fleet ? through : done;
    const atWork = begun >= fleet ? working : working;
    const soaking = Math.floor(atWork / 2);
    return cleaned({ done: finished, soaking, restarting: atWork - soaking, ready: fleet - finished - atWork });
  };
}

function cleaned(counts: Counts): Counts {
  return Object.fromEntries(Object.entries(counts).filter(([, hosts]) => hosts > 0));
}

const slowest = [
  { host: "web-07", ms: 48_200, partsMs: { prepare: 40_100, start: 5_000, soak: 3_100, wait: 130_000 } },
  { host: "web-12", ms: 21_000, partsMs: { idle: 15_000, start: 3_000, soak: 3_000 } },
  { host: "web-03", ms: 8_400, partsMs: { prepare: 5_000, start: 400, soak: 3_000, wait: 4_000 } },
];

const failed = [
  { host: "web-02", reason: 'Cannot call "v2" healthy: 49 checks in 5 s, http 500.' },
  {
    host: "web-09",
    reason: `expected 200 from http://127.0.0.1:8080/health, got 502 with "${"no database ".repeat(8)}"`,
  },
];

function rolledBack(): Timeline {
  const forth = wave(20, 12, 0.25, 3);
  const back = (second: number): Counts => {
    const gone = Math.min(9, Math.max(0, Math.floor((second - 70) / 5)));
    return cleaned({
      failed: 2,
      "going back": gone < 9 ? 1 : 0,
      done: 9 + gone - (gone < 9 ? 1 : 0),
      waiting: 9 - gone,
    });
  };
  return watched(
    125,
    (second) => {
      if (second > 70) return back(second);
      const counts = forth(second);
      const bad = second > 50 ? 2 : second > 40 ? 1 : 0;
      return cleaned({ ...counts, failed: bad, ready: (counts.ready ?? 0) - bad });
    },
    [
      [0, "preparing"],
      [12, "rolling"],
      [51, "halted"],
      [70, "rolling back"],
      [125, "rolled back"],
    ],
    { last: { slowest, failed } },
  );
}

function staged(): Timeline {
  const rest = wave(36, 100, 0.55, 6);
  return watched(
    200,
    (second) => {
      if (second < 12) return wave(40, 500, 1, 1)(second);
      if (second < 20) return { restarting: 2, ready: 38 };
      if (second < 60) return { done: 2, ready: 38 };
      if (second < 80) return { done: 4, restarting: 2, unreachable: 1, ready: 33 };
      const { done = 0, ...others } = rest(second);
      return { ...others, done: done + 4 };
    },
    [
      [0, "preparing", "canary"],
      [12, "canary", "canary"],
      [20, "awaiting promotion", "canary"],
      [60, "rolling", "10%/5m"],
      [80, "awaiting promotion", "10%/5m"],
      [100, "rolling", "100%"],
      [185, "done", "100%"],
    ],
    { last: { slowest: slowest.slice(0, 1) } },
  );
}

function large(): Timeline {
  const all = wave(5_000, 20, 5, 250);
  return watched(
    1_100,
    (second) => {
      const counts = all(second);
      const unreachable = 12;
      const failing = second > 400 ? Math.min(31, Math.floor((second - 400) / 20)) : 0;
      const from = (counts.ready ?? 0) > unreachable + failing ? "ready" : "done";
      return cleaned({ ...counts, unreachable, failed: failing, [from]: (counts[from] ?? 0) - unreachable - failing });
    },
    [
      [0, "preparing"],
      [20, "rolling"],
      [1_090, "done"],
    ],
    {
      last: {
        slowest,
        failed: Array.from({ length: 31 }, (_, at) => ({
          host: `web-${String(at * 97).padStart(4, "0")}`,
          reason: "http 502",
        })),
      },
    },
  );
}

/** Done, and taken back when somebody complained. */
function daysLater(): Timeline {
  const daysS = 2 * 86_400;
  const back = (second: number): Counts =>
    cleaned({
      done: Math.min(8, Math.floor((second - daysS) / 6)),
      waiting: 8 - Math.min(8, Math.floor((second - daysS) / 6)),
    });
  return watched(
    daysS + 60,
    (second) => (second <= daysS ? wave(8, 10, 0.2, 2)(second) : back(second)),
    [
      [0, "preparing"],
      [10, "rolling"],
      [60, "done"],
      [daysS, "rolling back"],
      [daysS + 55, "rolled back"],
    ],
    { gap: [61, daysS] },
  );
}

export const timelines: Readonly<Record<string, () => ToldTimeline>> = {
  done: () =>
    told(
      "v2",
      "done",
      watched(
        60,
        wave(8, 10, 0.2, 2),
        [
          [0, "preparing"],
          [10, "rolling"],
          [60, "done"],
        ],
        { last: { slowest } },
      ),
    ),
  "rolled-back": () => told("v2", "rolled back", rolledBack()),
  stages: () => told("v3", "done", staged()),
  "5000-hosts": () => told("v4", "done", large()),
  "a-gap": () =>
    told(
      "v2",
      "aborted",
      timelineLeft(
        watched(
          120,
          wave(8, 10, 0.08, 2),
          [
            [0, "preparing"],
            [10, "rolling"],
          ],
          { gap: [40, 80] },
        ),
        { state: "aborted", stage: "100%", atMs: 121_000 },
      ),
    ),
  "days-later": () => told("v2", "rolled back", daysLater()),
  "one-look": () =>
    told(
      "v1",
      "preparing",
      watched(1, () => ({ preparing: 1 }), [[0, "preparing"]]),
    ),
  "no-host": () =>
    told(
      "v1",
      "preparing",
      watched(3, () => ({}), [[0, "preparing"]]),
    ),
};
