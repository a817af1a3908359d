import { expect, test } from "bun:test";
import { parse } from "../../src/schema/problems.ts";
import { isEveryHost, percentOf, reachSchema, stagesSchema, zoneOf } from "../../src/schema/stages.ts";

const all = { hosts: "100%", wait: 0 };

function problems(stages: unknown): string[] {
  const parsed = parse(stagesSchema, stages);
  return parsed.ok ? [] : parsed.problems;
}

test("stages are kept as they are written, with what a newer deployd adds", () => {
  const stages = [
    { hosts: "canary", wait: "promote", analysis: { x: 1 } },
    { hosts: "zone:eu-1", wait: 0 },
    { hosts: "2.5%", wait: 300_000 },
    { hosts: "zone:eu-2", wait: "promote" },
    { hosts: "50.0%", wait: 0 },
    { hosts: "100.0%", wait: 0 },
  ];
  expect(parse(stagesSchema, stages)).toEqual({ ok: true, value: stages as never });
});

test.each([
  [[], "it must have at least one"],
  [[all, all], '"0": nothing can come after 100%, which is every host'],
  [[{ hosts: "zone:a", wait: 0 }, { hosts: "canary", wait: 0 }, all], '"1": canary hosts can only come first'],
  [[{ hosts: "canary", wait: 0 }, { hosts: "canary", wait: 0 }, all], '"1": canary hosts can only come first'],
  [
    [{ hosts: "zone:a", wait: 0 }, { hosts: "5%", wait: 0 }, { hosts: "zone:a", wait: 0 }, all],
    '"2": the zone a comes twice',
  ],
  [[{ hosts: "0.0%", wait: 0 }, all], '"0": 0.0% is no host at all'],
  [[{ hosts: "5%", wait: 0 }, { hosts: "5.0%", wait: 0 }, all], '"1": 5.0% is not more than the 5% before it'],
  [
    [{ hosts: "10%", wait: 0 }, { hosts: "zone:a", wait: 0 }, { hosts: "5%", wait: 0 }, all],
    '"2": 5% is not more than the 10% before it',
  ],
  [[{ hosts: "canary", wait: "promote" }], '"0": the last stage is 100%, not canary'],
  [[{ hosts: "10%", wait: 0 }], '"0": the last stage is 100%, not 10%'],
  [[{ hosts: "100%", wait: 1 }], '"0": the last stage has no wait, since nothing comes after it'],
  [[{ hosts: "100%", wait: "promote" }], '"0": the last stage has no wait, since nothing comes after it'],
])("%j cannot be: %s", (stages, problem) => {
  expect(problems(stages)).toEqual([problem]);
});

test.each([
  [{ hosts: "101%", wait: 0 }, '"0.hosts": it must be at most 100%'],
  [{ hosts: "10", wait: 0 }, '"0.hosts": canary, a zone as in zone:a, or a percentage as in 10% is required'],
  [{ hosts: "5,10%", wait: 0 }, '"0.hosts": canary, a zone as in zone:a, or a percentage as in 10% is required'],
  [{ hosts: 10, wait: 0 }, '"0.hosts": canary, a zone as in zone:a, or a percentage as in 10% is required'],
  [
    { hosts: "zone:", wait: 0 },
    '"0.hosts": a zone is made of letters, digits and . _ - and starts with a letter or a digit',
  ],
  [
    { hosts: "zone:a/b", wait: 0 },
    '"0.hosts": a zone is made of letters, digits and . _ - and starts with a letter or a digit',
  ],
  [{ wait: 0 }, '"0.hosts": it is missing'],
  [{ hosts: "10%" }, '"0.wait": it is missing'],
  [{ hosts: "10%", wait: -1 }, '"0.wait": a whole number of milliseconds, or "promote", is required'],
  [{ hosts: "10%", wait: 0.5 }, '"0.wait": a whole number of milliseconds, or "promote", is required'],
  [{ hosts: "10%", wait: "5m" }, '"0.wait": a whole number of milliseconds, or "promote", is required'],
  [{ hosts: "10%", wait: null }, '"0.wait": a whole number of milliseconds, or "promote", is required'],
])("%j is no stage, and its place among the others is not looked at: %s", (stage, problem) => {
  expect(problems([stage, all, all])).toEqual([problem]);
});

test("a stage is of canary hosts, of a zone or of a percentage", () => {
  expect([zoneOf("canary"), percentOf("canary"), isEveryHost("canary")]).toEqual([null, null, false]);
  expect([zoneOf("zone:a"), percentOf("zone:a"), isEveryHost("zone:a")]).toEqual(["a", null, false]);
  expect([zoneOf("10%"), percentOf("10%"), isEveryHost("10%")]).toEqual([null, "10%", false]);
  expect(isEveryHost("100.000%")).toBe(true);
  // A percent sign is no part of a zone's name, but a record of a newer deployd may have one.
  expect([zoneOf("zone:10%"), percentOf("zone:10%")]).toEqual(["10%", null]);
});

test("what a deploy has reached is read as it was written", () => {
  const reach = { zones: ["a"], below: 0.30000000000000004, until: "x" };
  expect(parse(reachSchema, JSON.parse(JSON.stringify(reach)))).toEqual({ ok: true, value: reach });
  expect(parse(reachSchema, { zones: [], below: 1.1 })).toEqual({
    ok: false,
    problems: ['"below": it must be at most 1'],
  });
});
