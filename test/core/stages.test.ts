import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { nothingReached, parseStages, reachAfter, reaches, stagesText, stageText } from "../../src/core/stages.ts";
import type { PercentText } from "../../src/schema/percent.ts";
import { parse } from "../../src/schema/problems.ts";
import { isEveryHost, percentOf, stagesSchema, zoneOf, type Reach, type Stage } from "../../src/schema/stages.ts";
import type { Role } from "../../src/schema/znodes.ts";

const DEPLOY = "20261123-081502-9f3c";

describe("stages as they are typed", () => {
  test.each([
    [
      "canary,zone:a,10%/5m,50%/promote,100%",
      [
        { hosts: "canary", wait: "promote" },
        { hosts: "zone:a", wait: 0 },
        { hosts: "10%", wait: 300_000 },
        { hosts: "50%", wait: "promote" },
        { hosts: "100%", wait: 0 },
      ],
    ],
    [
      "canary",
      [
        { hosts: "canary", wait: "promote" },
        { hosts: "100%", wait: 0 },
      ],
    ],
    [
      "canary/90s",
      [
        { hosts: "canary", wait: 90_000 },
        { hosts: "100%", wait: 0 },
      ],
    ],
    ["100%", [{ hosts: "100%", wait: 0 }]],
    [
      "1%, 2.5%/100ms",
      [
        { hosts: "1%", wait: 0 },
        { hosts: "2.5%", wait: 100 },
        { hosts: "100%", wait: 0 },
      ],
    ],
    [
      "5%/1h,zone:b.2",
      [
        { hosts: "5%", wait: 3_600_000 },
        { hosts: "zone:b.2", wait: 0 },
        { hosts: "100%", wait: 0 },
      ],
    ],
    ["100%/0s", [{ hosts: "100%", wait: 0 }]],
  ] as [string, Stage[]][])("%s", (text, stages) => {
    expect(parseStages(text)).toEqual(stages);
    expect(parse(stagesSchema, stages).ok).toBe(true);
  });

  const kinds = "canary, a zone as in zone:a, or a percentage as in 10% is required";
  const waits = "a time as in 30s or 5m, or promote, is required after the /";

  test.each([
    ["", `"" is no stage: ${kinds}`],
    ["canary,", `"" is no stage: ${kinds}`],
    ["canry", `"canry" is no stage: ${kinds}`],
    ["a", `"a" is no stage: ${kinds}`],
    ["Canary", `"Canary" is no stage: ${kinds}`],
    ["canary,10", `"10" is no stage: ${kinds}`],
    ["110%/5m", '"110%/5m" is no stage: it must be at most 100%'],
    ["zone:", '"zone:" is no stage: a zone is made of letters, digits and . _ - and starts with a letter or a digit'],
    ["10%/", `"10%/" is no stage: ${waits}`],
    ["10%/5", `"10%/5" is no stage: ${waits}`],
    ["10%/5m/promote", `"10%/5m/promote" is no stage: ${waits}`],
    ["10%/promoted", `"10%/promoted" is no stage: ${waits}`],
    ["zone:a,canary", "canary hosts can only come first"],
    ["10%,10%", "10% is not more than the 10% before it"],
    ["100%,zone:a", "nothing can come after 100%, which is every host"],
    ["100%/5m", "the last stage has no wait, since nothing comes after it"],
    ["10%,100%/promote", "the last stage has no wait, since nothing comes after it"],
    ["zone:a,zone:b,zone:a", "the zone a comes twice"],
  ])("%p is refused", (text, message) => {
    expect(() => parseStages(text)).toThrow(new Error(message));
  });

  test("are told as they were typed, without what goes without saying", () => {
    const typed = "canary/promote, zone:a/0s, 10%/300s, 50%/promote";
    expect(stagesText(parseStages(typed))).toBe("canary,zone:a,10%/5m,50%/promote,100%");
    expect(stagesText(parseStages("canary/0s"))).toBe("canary/0s,100%");
    expect(stageText({ hosts: "zone:a", wait: 90_000 })).toBe("zone:a/90s");
  });
});

const wait = fc.oneof(fc.constant("promote" as const), fc.constant(0), fc.nat(10_000_000));

/** Any stages that may be: zones and rising percentages in whatever order, canary hosts first or not at all. */
const stages: fc.Arbitrary<Stage[]> = fc
  .record({
    canary: fc.option(wait),
    zones: fc.subarray(["a", "b", "c"]),
    percents: fc.uniqueArray(fc.integer({ min: 1, max: 99_999 }), { maxLength: 4 }),
    places: fc.array(fc.nat(), { minLength: 7, maxLength: 7 }),
    waits: fc.array(wait, { minLength: 7, maxLength: 7 }),
  })
  .map(({ canary, zones, percents, places, waits }) => {
    const hosts: Stage["hosts"][] = percents.toSorted((a, b) => a - b).map((all): PercentText => `${all / 1000}%`);
    for (const [i, zone] of zones.entries()) hosts.splice((places[i] ?? 0) % (hosts.length + 1), 0, `zone:${zone}`);
    return [
      ...(canary === null ? [] : [{ hosts: "canary" as const, wait: canary }]),
      ...hosts.map((hosts, i) => ({ hosts, wait: waits[i] ?? 0 })),
      { hosts: "100%", wait: 0 },
    ];
  });

test("whatever the stages are, their text is read as these stages, and their record is valid", () => {
  fc.assert(
    fc.property(stages, (stages) => {
      expect(parseStages(stagesText(stages))).toEqual(stages);
      expect(parse(stagesSchema, stages)).toEqual({ ok: true, value: stages });
    }),
  );
});

interface Member {
  readonly role: Role;
  readonly zone?: string | undefined;
}

const member: fc.Arbitrary<Member> = fc.record({
  role: fc.constantFrom<Role[]>("fleet", "fleet", "fleet", "canary"),
  zone: fc.constantFrom("a", "b", "c", "d", undefined),
});

const fleet = fc
  .uniqueArray(fc.tuple(fc.stringMatching(/^[a-z][a-z0-9.-]{0,12}$/), member), {
    selector: ([host]) => host,
    maxLength: 40,
  })
  .map((hosts) => new Map(hosts));

function reachedBy(reach: Reach, hosts: ReadonlyMap<string, Member>): string[] {
  return [...hosts].flatMap(([host, { role, zone }]) =>
    role === "fleet" && reaches(reach, DEPLOY, host, zone) ? [host] : [],
  );
}

/** What is reached with each of the stages, one after the other. */
function reachesOf(stages: readonly Stage[], hosts: ReadonlyMap<string, Member>): Reach[] {
  const all: Reach[] = [];
  for (const index of stages.keys()) all.push(reachAfter(stages, index, DEPLOY, hosts, all.at(-1)));
  return all;
}

describe("what a stage reaches", () => {
  test("is nothing for canary hosts, who have a wish of their own", () => {
    const hosts = new Map([["c", { role: "canary" as const }]]);
    expect(reachAfter(parseStages("canary,50%"), 0, DEPLOY, hosts)).toEqual(nothingReached);
  });

  test("is the zones and the percentage of all stages so far, counted exactly", () => {
    fc.assert(
      fc.property(stages, fleet, (stages, hosts) => {
        for (const [index, reach] of reachesOf(stages, hosts).entries()) {
          const sofar = stages.slice(0, index + 1).map((stage) => stage.hosts);
          const zones = new Set(sofar.map(zoneOf));
          const percent = Number(sofar.findLast((hosts) => percentOf(hosts) !== null)?.slice(0, -1) ?? 0);
          const members = [...hosts].filter(([, { role }]) => role === "fleet");
          const exact = Math.ceil((members.length * Math.round(percent * 1000)) / 100_000);
          expect(members.filter(([host]) => reaches({ ...reach, zones: [] }, DEPLOY, host, "a"))).toHaveLength(exact);
          const inZones = members.filter(([, { zone }]) => zone !== undefined && zones.has(zone));
          expect(inZones.every(([host, { zone }]) => reaches({ ...reach, below: 0 }, DEPLOY, host, zone))).toBe(true);
          expect(new Set(reach.zones)).toEqual(new Set([...zones].filter((zone) => zone !== null)));
        }
      }),
    );
  });

  test("is at last every host", () => {
    fc.assert(
      fc.property(stages, fleet, (stages, hosts) => {
        const last = reachesOf(stages, hosts).at(-1) ?? nothingReached;
        expect(reachedBy(last, hosts)).toEqual(
          [...hosts].flatMap(([host, { role }]) => (role === "fleet" ? [host] : [])),
        );
        expect(isEveryHost(stages.at(-1)?.hosts ?? "canary")).toBe(true);
      }),
    );
  });

  test("never shrinks from stage to stage, even where hosts come, leave and change meanwhile", () => {
    fc.assert(
      fc.property(stages, fc.array(fleet, { minLength: 1, maxLength: 8 }), (stages, fleets) => {
        let before = nothingReached;
        for (const [index, hosts] of stages.map(
          (_, index) => [index, fleets[index % fleets.length] ?? new Map()] as const,
        )) {
          const reach = reachAfter(stages, index, DEPLOY, hosts, before);
          expect(reach.below).toBeGreaterThanOrEqual(before.below);
          expect(reach.zones).toEqual(expect.arrayContaining([...before.zones]));
          before = reach;
        }
      }),
    );
  });

  test("is kept where the same stage is computed again of a smaller fleet", () => {
    const hosts = new Map(Array.from({ length: 100 }, (_, i) => [`h${i}`, { role: "fleet" as const }]));
    const reach = reachAfter(parseStages("10%"), 0, DEPLOY, hosts);
    const left = new Map([...hosts].filter(([host]) => reaches(reach, DEPLOY, host, undefined)));
    expect(reachAfter(parseStages("10%"), 0, DEPLOY, left).below).toBeLessThan(reach.below);
    expect(reachAfter(parseStages("10%"), 0, DEPLOY, left, reach)).toEqual(reach);
  });

  test("does not change for others when a host joins", () => {
    fc.assert(
      fc.property(stages, fc.nat(7), fleet, fleet, (stages, at, hosts, joining) => {
        const reach = reachAfter(stages, at % stages.length, DEPLOY, hosts);
        const reached = reachedBy(reach, hosts);
        const after = reachedBy(reach, new Map([...joining, ...hosts]));
        expect(after.filter((host) => hosts.has(host)).toSorted()).toEqual(reached.toSorted());
      }),
    );
  });

  test("is about the percentage of the hosts that join, too", () => {
    const numbered = (name: string, count: number) =>
      new Map(Array.from({ length: count }, (_, i) => [`${name}-${i}`, { role: "fleet" as const }]));
    const reach = reachAfter(parseStages("20%"), 0, DEPLOY, numbered("web", 200));
    const joined = reachedBy(reach, numbered("new", 5000)).length;
    // Three standard deviations of where a threshold between 200 hosts lies.
    expect(Math.abs(joined / 5000 - 0.2)).toBeLessThan(3 * Math.sqrt((0.2 * 0.8) / 200));
  });

  test("keeps what a newer deployd has written beside it", () => {
    const before = { zones: ["z"], below: 0.5, since: "x" };
    expect(reachAfter(parseStages("zone:a"), 0, DEPLOY, new Map(), before)).toEqual({
      zones: ["z", "a"],
      below: 0.5,
      since: "x",
    });
  });
});
