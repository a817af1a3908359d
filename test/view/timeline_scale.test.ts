import { expect, test } from "bun:test";
import fc from "fast-check";
import { endOf, TimelineScale } from "../../src/view/timeline_scale.ts";

const lengths = fc.array(fc.integer({ min: 0, max: 10_000_000 }), { minLength: 1, maxLength: 15 });

/** What was watched and what was not, in turns. */
function timelineOf(parts: readonly number[]) {
  const gaps: { fromMs: number; toMs: number }[] = [];
  let atMs = 0;
  for (const [at, ms] of parts.entries()) {
    if (at % 2 === 1) gaps.push({ fromMs: atMs, toMs: atMs + ms });
    atMs += ms;
  }
  return { untilMs: atMs, marks: [], gaps };
}

test("whatever the gaps, later is further to the right, and each place is that of its instant", () => {
  fc.assert(
    fc.property(lengths, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2 }), (parts, shares) => {
      const timeline = timelineOf(parts);
      const scale = new TimelineScale(timeline);
      const endMs = endOf(timeline);
      const instants = shares.map((share) => share * endMs).toSorted((a, b) => a - b);
      const shown = instants.map((atMs) => scale.shown(atMs));
      expect(shown).toEqual(shown.toSorted((a, b) => a - b));
      for (const [at, atMs] of instants.entries())
        expect(Math.abs(scale.instant(shown[at] ?? 0) - atMs)).toBeLessThan(1 + endMs / 1e6);
      expect(scale.shown(0)).toBe(0);
      expect(scale.shown(endMs)).toBeCloseTo(scale.lengthMs);
      expect(scale.lengthMs).toBeLessThanOrEqual(endMs);
    }),
  );
});

test("without gaps, and with short ones, time passes evenly", () => {
  const scale = new TimelineScale(timelineOf([100_000, 2_000, 100_000]));
  expect([scale.isShortened, scale.lengthMs, scale.shown(150_000)]).toEqual([false, 202_000, 150_000]);
});

test("a gap of days leaves what was watched most of the picture", () => {
  const scale = new TimelineScale(timelineOf([60_000, 172_800_000, 60_000]));
  expect(scale.isShortened).toBe(true);
  expect(scale.shown(60_000) / scale.lengthMs).toBeGreaterThan(0.45);
});
