import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { clockChange, localTime } from "../../src/core/local_time.ts";
import { closesAt, isFrozen, isOpen, nextOpening, parseWindow } from "../../src/core/windows.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** The next times at which the windows open or close, in turn, from a moment at which they are closed. */
function turns(windows: readonly string[], from: string, count: number): string[] {
  const parsed = windows.map(parseWindow);
  const found: string[] = [];
  let at: Date | null = new Date(from);
  while (found.length < count && at !== null) {
    at = found.length % 2 === 0 ? nextOpening(parsed, at) : closesAt(parsed, at);
    found.push(at === null ? "never" : at.toISOString().replace(":00.000Z", "Z"));
  }
  return found;
}

test("a window opens at its first minute and is closed at its last", () => {
  const windows = [parseWindow("mon-fri 09:00-17:00 Europe/Berlin")];
  const open = (time: string): boolean => isOpen(windows, new Date(time));
  expect([open("2026-11-27T07:59:59.999Z"), open("2026-11-27T08:00:00.000Z")]).toEqual([false, true]);
  expect([open("2026-11-27T15:59:59.999Z"), open("2026-11-27T16:00:00.000Z")]).toEqual([true, false]);
  expect(open("2026-11-28T10:00:00.000Z")).toBe(false);
});

describe("times at which windows open and close", () => {
  test.each([
    [
      "over a weekend",
      ["mon-fri 09:00-17:00 Europe/Berlin"],
      "2026-11-27T18:00Z",
      ["2026-11-30T08:00Z", "2026-11-30T16:00Z", "2026-12-01T08:00Z"],
    ],
    [
      "half an hour beside whole hours",
      ["daily 09:00-17:00 Asia/Kolkata"],
      "2026-11-27T12:00Z",
      ["2026-11-28T03:30Z", "2026-11-28T11:30Z"],
    ],
    [
      "over midnight, from the day on which it begins",
      ["fri 22:00-04:00 UTC"],
      "2026-11-27T03:00Z",
      ["2026-11-27T22:00Z", "2026-11-28T04:00Z", "2026-12-04T22:00Z"],
    ],
    [
      "over midnight from Sunday to Monday",
      ["sun 22:00-04:00 UTC"],
      "2026-11-28T12:00Z",
      ["2026-11-29T22:00Z", "2026-11-30T04:00Z"],
    ],
    [
      "at midnight itself",
      ["sat 00:00-24:00 UTC"],
      "2026-11-27T12:00Z",
      ["2026-11-28T00:00Z", "2026-11-29T00:00Z", "2026-12-05T00:00Z"],
    ],
    [
      "of two that touch, as of one",
      ["fri 20:00-24:00 UTC", "sat 00:00-02:00 UTC"],
      "2026-11-27T12:00Z",
      ["2026-11-27T20:00Z", "2026-11-28T02:00Z"],
    ],
    [
      "of two zones that overlap",
      ["daily 09:00-10:00 Europe/Berlin", "daily 08:30-09:30 UTC"],
      "2026-11-27T07:00Z",
      ["2026-11-27T08:00Z", "2026-11-27T09:30Z"],
    ],
    [
      "not in the hour that Berlin leaves out, but a week later",
      ["sun 02:00-03:00 Europe/Berlin"],
      "2026-03-28T12:00Z",
      ["2026-04-05T00:00Z", "2026-04-05T01:00Z"],
    ],
    [
      "two weeks after it closed, where that hour is what lies between",
      ["sun 02:00-03:00 Europe/Berlin"],
      "2026-03-22T02:00Z",
      ["2026-04-05T00:00Z"],
    ],
    [
      "the next day, where a daily window is left out",
      ["daily 02:15-02:45 Europe/Berlin"],
      "2026-03-28T12:00Z",
      ["2026-03-30T00:15Z", "2026-03-30T00:45Z"],
    ],
    [
      "from where Berlin's clocks go on, if it would begin before",
      ["sun 02:30-05:00 Europe/Berlin"],
      "2026-03-28T12:00Z",
      ["2026-03-29T01:00Z", "2026-03-29T03:00Z"],
    ],
    [
      "to where Berlin's clocks leave off, if it would end later",
      ["sun 01:00-02:30 Europe/Berlin"],
      "2026-03-28T12:00Z",
      ["2026-03-29T00:00Z", "2026-03-29T01:00Z"],
    ],
    [
      "for the whole of the hour that Berlin has twice",
      ["sun 02:00-03:00 Europe/Berlin"],
      "2026-10-24T12:00Z",
      ["2026-10-25T00:00Z", "2026-10-25T02:00Z", "2026-11-01T01:00Z"],
    ],
    [
      "twice, for a part of that hour",
      ["sun 02:30-03:00 Europe/Berlin"],
      "2026-10-24T12:00Z",
      ["2026-10-25T00:30Z", "2026-10-25T01:00Z", "2026-10-25T01:30Z", "2026-10-25T02:00Z"],
    ],
    [
      "with an hour less in New York in spring",
      ["sat 22:00-04:00 America/New_York"],
      "2026-03-07T12:00Z",
      ["2026-03-08T03:00Z", "2026-03-08T08:00Z"],
    ],
    [
      "with an hour more in New York in autumn",
      ["sat 22:00-04:00 America/New_York"],
      "2026-10-31T12:00Z",
      ["2026-11-01T02:00Z", "2026-11-01T09:00Z"],
    ],
    [
      "not on the Friday that Samoa left out",
      ["fri 09:00-17:00 Pacific/Apia"],
      "2011-12-28T12:00Z",
      ["2012-01-05T19:00Z", "2012-01-06T03:00Z"],
    ],
    [
      "on the days before and after it",
      ["thu,sat 09:00-17:00 Pacific/Apia"],
      "2011-12-29T12:00Z",
      ["2011-12-29T19:00Z", "2011-12-30T03:00Z", "2011-12-30T19:00Z", "2011-12-31T03:00Z"],
    ],
    [
      "until midnight before it, where clocks never show the rest",
      ["thu 22:00-04:00 Pacific/Apia"],
      "2011-12-29T12:00Z",
      ["2011-12-30T08:00Z", "2011-12-30T10:00Z", "2012-01-05T08:00Z"],
    ],
    [
      "not in the half hour that Lord Howe leaves out",
      ["sun 02:00-02:30 Australia/Lord_Howe"],
      "2026-10-03T00:00Z",
      ["2026-10-10T15:00Z", "2026-10-10T15:30Z"],
    ],
    [
      "for twice the half hour that Lord Howe has twice",
      ["sun 01:30-02:00 Australia/Lord_Howe"],
      "2026-04-04T00:00Z",
      ["2026-04-04T14:30Z", "2026-04-04T15:30Z"],
    ],
  ])("%s", (_what, windows, from, expected) => {
    expect(turns(windows, from, expected.length)).toEqual(expected);
  });

  test("are none without windows, and where they leave nothing out", () => {
    const now = new Date("2026-11-27T12:00Z");
    const always = ["daily 00:00-12:00 Europe/Berlin", "daily 12:00-24:00 Europe/Berlin"].map(parseWindow);
    for (const windows of [[], always, [parseWindow("daily 00:00-24:00 Pacific/Apia")]]) {
      expect(isOpen(windows, now)).toBe(true);
      expect(nextOpening(windows, now)).toBeNull();
      expect(closesAt(windows, now)).toBeNull();
    }
    expect(closesAt([parseWindow("fri 11:00-12:00 UTC")], now)).toBeNull();
  });
});

test("a window that cannot be read is refused with what is wrong", () => {
  expect(() => parseWindow("mon 9-17 UTC")).toThrow('"9-17" are no hours: a time and a time are required');
});

const zones = [
  "Europe/Berlin",
  "America/New_York",
  "Asia/Kolkata",
  "Pacific/Apia",
  "Australia/Lord_Howe",
  "UTC",
] as const;

/** Near the moments at which these zones' clocks change, and far from them. */
const moments = [
  "2026-03-29T01:00Z",
  "2026-10-25T01:00Z",
  "2026-03-08T07:00Z",
  "2026-11-01T06:00Z",
  "2026-10-03T15:30Z",
  "2026-04-04T15:00Z",
  "2011-12-30T10:00Z",
  "2026-07-01T00:00Z",
] as const;

const names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const quarter = fc.nat(95).map((n) => n * 15);

const windowTyped = fc
  .record({
    days: fc.subarray(names, { minLength: 1 }),
    from: quarter,
    to: quarter,
    zone: fc.constantFrom(...zones),
  })
  .filter(({ from, to }) => from !== to)
  .map((window) => {
    const [from, to] = [window.from, window.to].map(
      (minutes) => `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`,
    );
    return { ...window, text: `${window.days.join(",")} ${from}-${to} ${window.zone}` };
  });

type Typed = typeof windowTyped extends fc.Arbitrary<infer T> ? T : never;

/** Told by what another formatter of the runtime shows a person: a day's name, and a time. */
function isShownWithin({ days, from, to, zone }: Typed, at: number): boolean {
  const shown = new Date(at).toLocaleString("en-GB", {
    timeZone: zone,
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
  });
  const [, day = "", hour, minute] = /^(\w{3})\D+(\d\d):(\d\d)$/.exec(shown) ?? [];
  const today = names.indexOf(day.toLowerCase());
  const minutes = Number(hour) * 60 + Number(minute);
  const begins = (which: number): boolean => days.includes(names[(which + 7) % 7] ?? "");
  if (from < to || to === 0) return begins(today) && minutes >= from && minutes < (to || 1440);
  return (begins(today) && minutes >= from) || (begins(today - 1) && minutes < to);
}

test("at any time of any zone, windows are open as a person reads them from the clock, and turn when they are told to", () => {
  const around = fc.record({ moment: fc.constantFrom(...moments), quarters: fc.integer({ min: -200, max: 100 }) });
  fc.assert(
    fc.property(fc.array(windowTyped, { minLength: 1, maxLength: 3 }), around, (typed, { moment, quarters }) => {
      const windows = typed.map(({ text }) => parseWindow(text));
      const now = Date.parse(moment) + quarters * 15 * MINUTE;
      const openAt = (at: number): boolean => typed.some((window) => isShownWithin(window, at));
      const open = openAt(now);
      expect(isOpen(windows, new Date(now))).toBe(open);
      const turn = open ? closesAt(windows, new Date(now)) : nextOpening(windows, new Date(now));
      expect(open ? nextOpening(windows, new Date(now)) : closesAt(windows, new Date(now))).toBeNull();
      // What is told is the first quarter of an hour at which it is otherwise.
      const end = now + 60 * HOUR;
      let first = now;
      while (openAt(first) === open && first < end) first += 15 * MINUTE;
      if (first < end) expect(turn?.getTime()).toBe(first);
      else expect(turn?.getTime() ?? Infinity).toBeGreaterThanOrEqual(end);
    }),
    { numRuns: 150 },
  );
});

test("a window that is closed opens again within two weeks", () => {
  fc.assert(
    fc.property(windowTyped, fc.constantFrom(...moments), ({ text }, moment) => {
      const windows = [parseWindow(text)];
      const opening = nextOpening(windows, new Date(moment));
      if (opening === null) expect(isOpen(windows, new Date(moment))).toBe(true);
      else expect(opening.getTime() - Date.parse(moment)).toBeLessThanOrEqual(14 * 24 * HOUR);
    }),
  );
});

test("the local time is what clocks show, milliseconds included", () => {
  const shown = (zone: string, at: string): string => new Date(localTime(zone, Date.parse(at))).toISOString();
  expect(shown("Europe/Berlin", "2026-07-01T22:00:00.123Z")).toBe("2026-07-02T00:00:00.123Z");
  expect(shown("Asia/Kolkata", "1999-12-31T23:59:59.999Z")).toBe("2000-01-01T05:29:59.999Z");
  expect(shown("America/New_York", "2026-11-01T06:00:00.000Z")).toBe("2026-11-01T01:00:00.000Z");
});

test("the moment at which clocks are changed is found to the millisecond", () => {
  const day = (from: string): [number, number] => [Date.parse(from), Date.parse(from) + 24 * HOUR];
  expect(clockChange("Europe/Berlin", ...day("2026-03-28T12:34Z"))).toBe(Date.parse("2026-03-29T01:00Z"));
  expect(clockChange("Pacific/Apia", ...day("2011-12-30T00:00Z"))).toBe(Date.parse("2011-12-30T10:00Z"));
  expect(clockChange("Australia/Lord_Howe", ...day("2026-04-04T00:00Z"))).toBe(Date.parse("2026-04-04T15:00Z"));
  expect(clockChange("Europe/Berlin", ...day("2026-03-29T01:00Z"))).toBeNull();
});

test("a frozen service is frozen until it is said to be, or until a person unfreezes it", () => {
  const freeze = { who: "ann", why: "sale", time: "2026-11-27T00:00:00.000Z" };
  const until = { ...freeze, until: "2026-11-30T00:00:00.000Z" };
  expect(isFrozen(null, new Date("2026-11-28"))).toBe(false);
  expect(isFrozen(freeze, new Date("2036-11-28"))).toBe(true);
  expect(isFrozen(until, new Date("2026-11-29T23:59:59.999Z"))).toBe(true);
  expect(isFrozen(until, new Date("2026-11-30T00:00:00.000Z"))).toBe(false);
});
