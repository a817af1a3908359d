import { expect, test } from "bun:test";
import fc from "fast-check";
import { newTimeline, timelineAfter, timelineLeft, type Sighting, type Timeline } from "../../src/core/timeline.ts";
import { MOST_TIMELINE_BYTES, timelineIn, timelineText } from "../../src/core/timeline_record.ts";
import { fleetSize, outIn } from "../../src/core/timeline_samples.ts";
import { deployStateSchema } from "../../src/schema/deploy_record.ts";
import { hostStateSchema } from "../../src/schema/host_state.ts";
import { timelineRecordSchema } from "../../src/schema/timeline.ts";

const start = Date.parse("2026-01-01T00:00:00.000Z");

function sighting(atMs: number, counts: Sighting["counts"], changes: Partial<Sighting> = {}): Sighting {
  return { atMs, counts, change: { state: "rolling", stage: "100%", atMs: 0 }, slowest: [], failed: [], ...changes };
}

function seen(...sightings: readonly Sighting[]): Timeline {
  return sightings.reduce(timelineAfter, newTimeline(start));
}

/** What is left of it once it was written and read. */
function kept(timeline: Timeline): Timeline {
  return timelineIn(timelineRecordSchema.parse(JSON.parse(timelineText(timeline).text)));
}

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/);
const reason = fc.string({ unit: "binary", maxLength: 600 });

/** A look at a fleet of some size, some time after the one before. */
const looks = fc.integer({ min: 0, max: 100_000 }).chain((fleet) =>
  fc
    .array(
      fc.record({
        afterMs: fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 90_000_000 })),
        shares: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 11, maxLength: 11 }),
        state: fc.constantFrom(...deployStateSchema.options),
        stage: fc.string({ maxLength: 90 }),
        slowest: fc.array(
          fc.record({
            host: name,
            ms: fc.integer({ min: 1, max: 10_000_000 }),
            partsMs: fc.dictionary(fc.constantFrom("prepare", "wait", "restart", "soak"), fc.nat()),
          }),
          { maxLength: 12 },
        ),
        failed: fc.array(fc.record({ host: name, reason }), { maxLength: 30 }),
      }),
      { minLength: 1, maxLength: 60 },
    )
    .map((each) => ({ fleet, each })),
);

/** The hosts of a fleet by shares: whatever is left over waits. */
function split(fleet: number, shares: readonly number[]): Sighting["counts"] {
  const counts: Record<string, number> = {};
  let left = fleet;
  for (const [at, state] of hostStateSchema.options.entries()) {
    const some = Math.floor(left * (shares[at] ?? 0));
    if (some > 0) counts[state] = some;
    left -= some;
  }
  if (left > 0) counts["waiting"] = (counts["waiting"] ?? 0) + left;
  return counts;
}

function most(samples: readonly { readonly counts: Sighting["counts"] }[], of: (counts: Sighting["counts"]) => number) {
  return Math.max(0, ...samples.map(({ counts }) => of(counts)));
}

test("whatever was seen, it fits, begins and ends exactly, adds up to the fleet, and no peak vanishes", () => {
  fc.assert(
    fc.property(looks, fc.integer({ min: 1, max: 40 }), ({ fleet, each }, times) => {
      let atMs = 0;
      // The same again and again, as in a deploy of many waves.
      const sightings = Array.from({ length: times }, () => each)
        .flat()
        .map(({ afterMs, shares, state, stage, slowest, failed }) => {
          atMs += afterMs;
          return sighting(atMs, split(fleet, shares), { change: { state, stage, atMs }, slowest, failed });
        });
      let timeline = newTimeline(start);
      for (const [at, one] of sightings.entries()) {
        timeline = timelineAfter(timeline, one);
        // A conductor writes now and then, and goes on with what it has written; others read it.
        if (at % 97 === 0) timeline = kept(timeline);
      }
      const { text, timeline: written } = timelineText(timeline);
      expect(new TextEncoder().encode(text).length).toBeLessThanOrEqual(MOST_TIMELINE_BYTES);
      const read = kept(timeline);
      expect(read).toEqual(written);
      expect(read.samples[0]?.counts).toEqual(sightings[0]?.counts ?? {});
      expect(read.samples.at(-1)?.counts).toEqual(sightings.at(-1)?.counts ?? {});
      expect(read.untilMs).toBe(atMs);
      for (const { counts } of read.samples) expect(fleetSize(counts)).toBe(fleet);
      for (const state of hostStateSchema.options)
        expect(most(read.samples, (counts) => counts[state] ?? 0)).toBe(
          most(sightings, (counts) => counts[state] ?? 0),
        );
      expect(most(read.samples, outIn)).toBe(most(sightings, outIn));
      const steps = read.samples.map(({ atMs: at }) => at);
      expect(steps).toEqual(steps.toSorted((a, b) => a - b));
    }),
    { numRuns: 150 },
  );
}, 60_000);

test("six hours of changes each second are kept in even steps, coarser than a second", () => {
  const seconds = 21_600;
  let timeline = newTimeline(start);
  for (let at = 1; at <= seconds; at += 1)
    timeline = timelineAfter(timeline, sighting(at * 1_000, { waiting: at, done: seconds - at }));
  const { text, timeline: written } = timelineText(timeline);
  expect(text.length).toBeLessThanOrEqual(MOST_TIMELINE_BYTES);
  const steps = written.samples.slice(1, -1).map(({ atMs }, at) => atMs - (written.samples[at]?.atMs ?? 0));
  expect(written.samples.length).toBeGreaterThan(200);
  expect(Math.max(...steps)).toBeLessThanOrEqual(4 * written.everyMs);
});

test("where nobody looked is a gap, and nothing is made up for it", () => {
  const timeline = seen(
    sighting(1_000, { waiting: 3 }),
    sighting(2_000, { done: 1, waiting: 2 }),
    sighting(62_000, { done: 3 }),
  );
  expect(timeline.gaps).toEqual([{ fromMs: 2_000, toMs: 62_000 }]);
  expect(timeline.samples.map(({ atMs }) => atMs)).toEqual([1_000, 2_000, 62_000]);
});

test("what looks the same is no sample of its own, and it is known that somebody looked", () => {
  const timeline = seen(...[1, 3, 5, 7, 9].map((at) => sighting(at * 1_000, { waiting: 3 })));
  expect([timeline.samples.length, timeline.untilMs, timeline.gaps]).toEqual([1, 9_000, []]);
});

test("more gaps than there is room for become fewer and longer, and what was not seen never counts as seen", () => {
  let timeline = newTimeline(start);
  for (let at = 0; at < 60; at += 1) timeline = timelineAfter(timeline, sighting(at * 20_000, { waiting: at + 1 }));
  expect(timeline.gaps.length).toBeLessThanOrEqual(24);
  for (let at = 1; at < 60; at += 1) {
    const middle = at * 20_000 - 10_000;
    expect(timeline.gaps.some(({ fromMs, toMs }) => fromMs <= middle && middle <= toMs)).toBe(true);
  }
});

test("a clock that goes back moves nothing back", () => {
  const timeline = seen(sighting(5_000, { waiting: 2 }), sighting(3_000, { done: 2 }));
  expect(timeline.samples.map(({ atMs }) => atMs)).toEqual([5_000, 5_000]);
  expect(timeline.untilMs).toBe(5_000);
});

test("each change of the deploy's own is marked at its time, and of many the first and the last stay", () => {
  const change = (at: number): Sighting["change"] => ({
    state: at % 2 === 0 ? "rolling" : "paused",
    stage: "100%",
    atMs: at * 1_000 - 300,
  });
  const timeline = seen(
    ...Array.from({ length: 100 }, (_, at) => sighting(at * 1_000, { waiting: 1 }, { change: change(at) })),
  );
  expect(timeline.marks).toHaveLength(40);
  expect(timeline.marksLeftOut).toBe(60);
  expect(timeline.marks[0]).toEqual({ state: "rolling", stage: "100%", atMs: 0 });
  expect(timeline.marks.at(-1)).toEqual({ state: "paused", stage: "100%", atMs: 98_700 });
});

test("a deploy that a newer one has overtaken is left with its last state, and no word of its hosts", () => {
  const before = seen(sighting(1_000, { waiting: 3 }));
  const after = timelineLeft(before, { state: "aborted", stage: "100%", atMs: 4_000 });
  expect(after.marks.at(-1)).toMatchObject({ state: "aborted", atMs: 4_000 });
  expect([after.samples, after.untilMs]).toEqual([before.samples, before.untilMs]);
  expect(timelineLeft(after, { state: "aborted", stage: "100%", atMs: 9_000 })).toBe(after);
});

test("of each slow host the longest counts, and the slowest come first", () => {
  const slow = (host: string, ms: number) => ({ host, ms, partsMs: { prepare: ms } });
  const timeline = seen(
    sighting(1_000, { waiting: 1 }, { slowest: [slow("a", 10), slow("b", 30)] }),
    sighting(2_000, { waiting: 1 }, { slowest: [slow("a", 20), slow("b", 5)] }),
  );
  expect(timeline.slowest.map(({ host, ms }) => [host, ms])).toEqual([
    ["b", 30],
    ["a", 20],
  ]);
});

test("who has failed stays, the others are counted, and a reason is one short line", () => {
  const failed = Array.from({ length: 25 }, (_, at) => ({ host: `h${at}`, reason: `it\nfailed ${"x".repeat(300)}` }));
  const first = seen(sighting(1_000, { failed: 25 }, { failed }));
  expect([first.failed.hosts, first.failed.first.length]).toEqual([25, 20]);
  expect(first.failed.first[0]?.reason).toMatch(/^it failed x+…$/);
  expect(first.failed.first[0]?.reason.length).toBe(160);
  const later = timelineAfter(first, sighting(2_000, { done: 25 }));
  expect(later.failed).toEqual(first.failed);
  expect(timelineAfter(first, sighting(2_000, { failed: 30 }, { failed })).failed).toEqual(first.failed);
});

test.each([
  ["a column that is shorter than the others", { stepsMs: [0, 1], counts: { done: [1] } }, "2 samples"],
  ["fewer hosts than none", { stepsMs: [0, 1], counts: { done: [1, -2] } }, "less than no host"],
  ["a state that nobody knows", { stepsMs: [0], counts: { asleep: [1] } }, ""],
  ["a host whose name is none", { failed: { hosts: 1, first: [{ host: "../x", reason: "" }] } }, "host name"],
])("%s is refused", (_what, changes, said) => {
  const record = JSON.parse(timelineText(seen(sighting(1_000, { done: 1 }))).text) as object;
  const parsed = timelineRecordSchema.safeParse({ ...record, ...changes });
  expect(parsed.success).toBe(false);
  expect(parsed.error?.message).toContain(said);
});
