import { expect, test } from "bun:test";
import fc from "fast-check";
import { parse } from "../../src/schema/problems.ts";
import {
  freezeSchema,
  readWindow,
  weekdayOf,
  windowSchema,
  windowText,
  type DeployWindow,
  type Weekday,
} from "../../src/schema/windows.ts";

const week: readonly Weekday[] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

test.each([
  ["mon-fri 09:00-17:00 Europe/Berlin", { days: week.slice(0, 5), fromMinute: 540, toMinute: 1020 }],
  ["daily 00:00-24:00 Asia/Kolkata", { days: week, fromMinute: 0, toMinute: 1440 }],
  ["fri 22:00-04:00 America/New_York", { days: ["fri"], fromMinute: 1320, toMinute: 240 }],
  ["mon,wed,sat-sun 00:30-00:31 UTC", { days: ["mon", "wed", "sat", "sun"], fromMinute: 30, toMinute: 31 }],
] as const)("%s is read, and written in the same way", (text, window) => {
  const timeZone = text.split(" ")[2] ?? "";
  expect(readWindow(text)).toEqual({ ok: true, value: { ...window, days: [...window.days], timeZone } });
  expect(windowText({ ...window, timeZone })).toBe(text);
});

test.each([
  ["  Mon-Fri\t9:00-17:00   UTC ", "mon-fri 09:00-17:00 UTC"],
  ["sat-mon 20:00-00:00 UTC", "mon,sat-sun 20:00-24:00 UTC"],
  ["sun,mon-tue,mon 10:00-11:00 UTC", "mon-tue,sun 10:00-11:00 UTC"],
  ["mon-sun 10:00-11:00 UTC", "daily 10:00-11:00 UTC"],
  ["wed-wed 10:00-11:00 UTC", "wed 10:00-11:00 UTC"],
])("%p is the same as %s", (typed, text) => {
  const window = readWindow(typed);
  expect(window.ok && windowText(window.value)).toBe(text);
});

const day = "is no day: mon, tue, wed, thu, fri, sat, sun, a range as in mon-fri, or daily is required";

test.each([
  ["", "days, hours and a time zone are required, as in mon-fri 09:00-17:00 Europe/Berlin"],
  ["mon-fri 09:00-17:00", "days, hours and a time zone are required, as in mon-fri 09:00-17:00 Europe/Berlin"],
  ["mon, fri 09:00-17:00 UTC", "days, hours and a time zone are required, as in mon-fri 09:00-17:00 Europe/Berlin"],
  ["monday 09:00-17:00 UTC", `"monday" ${day}`],
  ["mon- 09:00-17:00 UTC", `"mon-" ${day}`],
  ["mon-wed-fri 09:00-17:00 UTC", `"mon-wed-fri" ${day}`],
  ["mon, 09:00-17:00 UTC", `"" ${day}`],
  ["daily,mon 09:00-17:00 UTC", `"daily" ${day}`],
  ["mon 09-17 UTC", '"09-17" are no hours: a time and a time are required, as in 09:00-17:00'],
  ["mon 09:00 UTC", '"09:00" are no hours: a time and a time are required, as in 09:00-17:00'],
  ["mon 09:00-12:00-17:00 UTC", '"09:00-12:00-17:00" are no hours: a time and a time are required, as in 09:00-17:00'],
  ["mon 09:60-17:00 UTC", "there is no time 09:60"],
  ["mon 09:00-24:01 UTC", "there is no time 24:01"],
  ["mon 25:00-26:00 UTC", "there is no time 25:00"],
  ["mon 24:00-04:00 UTC", "it cannot begin at 24:00, which is 00:00 of the next day"],
  ["mon 09:00-9:00 UTC", "it begins and ends at 09:00; a window of the whole day is 00:00-24:00"],
  ["mon 00:00-00:00 UTC", "it begins and ends at 00:00; a window of the whole day is 00:00-24:00"],
  ["mon 09:00-17:00 Europe/Berln", '"Europe/Berln" is no time zone; did you mean Europe/Berlin?'],
  ["mon 09:00-17:00 berlin", '"berlin" is no time zone; did you mean Europe/Berlin?'],
  ["mon 09:00-17:00 +02:00", '"+02:00" is no time zone; a name as in Europe/Berlin or UTC is required'],
  ["mon 09:00-17:00 Middle/Earth", '"Middle/Earth" is no time zone; a name as in Europe/Berlin or UTC is required'],
])("%p is no window: %s", (text, problem) => {
  expect(readWindow(text)).toEqual({ ok: false, problems: [problem] });
  expect(parse(windowSchema, text)).toEqual({ ok: false, problems: [problem] });
});

test("a window is kept as it was typed, also with another name of its zone", () => {
  for (const text of ["Mon 9:00-10:00 Asia/Calcutta", "mon 09:00-10:00 US/Eastern", "mon 09:00-10:00 Etc/GMT+5"])
    expect(parse(windowSchema, text)).toEqual({ ok: true, value: text });
  expect(parse(windowSchema, 5)).toEqual({ ok: false, problems: ["a text is required, not 5"] });
});

test("a zone that is as long as a book is refused as fast as any", () => {
  const window = readWindow(`mon 09:00-17:00 ${"x".repeat(1_000_000)}`);
  expect(window.ok ? [] : window.problems.join().slice(-64)).toMatch(/a name as in Europe\/Berlin or UTC is required$/);
});

test("whatever the window is, its text is read as this window", () => {
  const window: fc.Arbitrary<DeployWindow> = fc
    .record({
      days: fc.subarray([...week], { minLength: 1 }),
      fromMinute: fc.nat(1439),
      toMinute: fc.integer({ min: 1, max: 1440 }),
      timeZone: fc.constantFrom("UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Argentina/Buenos_Aires"),
    })
    .filter(({ fromMinute, toMinute }) => fromMinute !== toMinute);
  fc.assert(
    fc.property(window, (window) => {
      expect(readWindow(windowText(window))).toEqual({ ok: true, value: window });
    }),
  );
});

test("days of the week are those of the calendar", () => {
  expect(["2026-11-28", "2026-11-29", "2026-11-30", "1969-12-31"].map((day) => weekdayOf(Date.parse(day)))).toEqual([
    "sat",
    "sun",
    "mon",
    "wed",
  ]);
});

test("a freeze says who froze the service, and may say until when", () => {
  const freeze = { who: "ann", why: "sale", time: "2026-11-27T00:00:00.000Z", region: "eu" };
  expect(parse(freezeSchema, freeze)).toEqual({ ok: true, value: freeze });
  expect(parse(freezeSchema, { ...freeze, until: "2026-11-30T00:00:00.000Z" }).ok).toBe(true);
  expect(parse(freezeSchema, { ...freeze, until: "monday" }).ok).toBe(false);
});
