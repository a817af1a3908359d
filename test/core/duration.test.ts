import { expect, test } from "bun:test";
import fc from "fast-check";
import { durationText, parseDuration } from "../../src/core/duration.ts";

test.each([
  ["0s", 0],
  ["1500ms", 1500],
  ["30s", 30_000],
  ["5m", 300_000],
  ["90m", 5_400_000],
  ["48h", 172_800_000],
])("%s are %d milliseconds, and are written so", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
  expect(durationText(ms)).toBe(text);
});

test.each(["", "5", "m", "-5m", "1.5h", "5 m", "5M", "5min", "1h30m", "5m\n", "1000000000h", "0x5s"])(
  "%p is no time",
  (text) => {
    expect(parseDuration(text)).toBeNull();
  },
);

test("a time is written exactly, by the longest unit of which it is a whole number", () => {
  expect([durationText(60_000), durationText(61_000), durationText(60_001)]).toEqual(["1m", "61s", "60001ms"]);
  fc.assert(
    fc.property(fc.nat(10_000), fc.constantFrom(1, 1000, 60_000, 3_600_000), (amount, unit) => {
      expect(parseDuration(durationText(amount * unit))).toBe(amount * unit);
    }),
  );
});
