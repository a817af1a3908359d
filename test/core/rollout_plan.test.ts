import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { buildsBetween } from "../../src/core/builds_between.ts";
import { started } from "../../src/core/deploy.ts";
import { emptyGate } from "../../src/core/gate.ts";
import { plannedMs, timeBasis } from "../../src/core/plan_time.ts";
import { planRollout, type PlannedService } from "../../src/core/rollout_plan.ts";
import { nothingReached, parseStages, reachAfter } from "../../src/core/stages.ts";
import type { DeployRecord } from "../../src/schema/deploy_record.ts";
import type { Limits } from "../../src/schema/limits.ts";
import { serviceSettingsSchema, type HostRecord, type HostStatus } from "../../src/schema/znodes.ts";
import { hostStatus } from "../harness/host_status.ts";

const NOW = new Date("2026-11-28T12:00:00.000Z");

interface Given {
  readonly zone?: string;
  readonly role?: "fleet" | "canary";
  readonly is?: "serving" | "new" | "old" | "ill" | "away" | "held";
}

function serviceOf(given: Readonly<Record<string, Given>>): PlannedService {
  const all = Object.entries(given);
  const statusOf = ({ is = "old" }: Given): HostStatus => {
    const build = is === "new" ? null : is === "serving" ? "b2" : "b1";
    const health = is === "ill" ? "unhealthy" : build === null ? "nothing" : "healthy";
    return hostStatus({ build, health, step: build === null ? "idle" : "serving" });
  };
  const hold = { hold: true, who: "ana", why: "", since: NOW.toISOString() } as const;
  return {
    hosts: new Map(
      all.map(([host, { zone, role = "fleet" }]): [string, HostRecord] => [
        host,
        { role, ...(zone === undefined ? {} : { zone }) },
      ]),
    ),
    statuses: new Map(all.map(([host, each]) => [host, statusOf(each)])),
    alive: new Set(all.filter(([, { is }]) => is !== "away").map(([host]) => host)),
    gate: {
      ...emptyGate,
      holds: new Map(all.flatMap(([host, { is }]) => (is === "held" ? [[host, hold] as const] : []))),
    },
    settings: serviceSettingsSchema.parse({}),
  };
}

function recordOf(service: PlannedService, stages: string, limits: Partial<Limits>): DeployRecord {
  const parsed = parseStages(stages);
  const reach =
    parsed[0]?.hosts === "canary" ? {} : { reach: reachAfter(parsed, 0, "d1", service.hosts, nothingReached) };
  return started({
    build: "b2",
    previous: "b1",
    before: { build: "b1", deploy: "d0" },
    who: "ana",
    why: "",
    stages: parsed,
    limits: { max: 1, budget: 0, soakMs: 1000, ...limits },
    onHalt: "ask",
    now: NOW,
    ...reach,
  });
}

function plan(given: Readonly<Record<string, Given>>, stages = "100%", limits: Partial<Limits> = {}) {
  const service = serviceOf(given);
  return planRollout(service, "d1", recordOf(service, stages, limits), NOW);
}

const some = fc.dictionary(
  fc.stringMatching(/^h[0-9]{1,3}$/),
  fc.record({
    zone: fc.constantFrom("a", "b", "c"),
    role: fc.constantFrom("fleet" as const, "fleet" as const, "canary" as const),
    is: fc.constantFrom("serving", "new", "old", "old", "ill", "away", "held"),
  }),
  { minKeys: 1, maxKeys: 40 },
);

describe("a plan", () => {
  test("brings every host that can be brought to it there once, in stages that have every host once", () => {
    fc.assert(
      fc.property(
        some,
        fc.constantFrom("100%", "canary,100%", "zone:a,30%,100%"),
        fc.integer({ min: 1, max: 9 }),
        (given, stages, max) => {
          const { stages: found, changing, serving, special } = plan(given, stages, { max });
          expect(found.flatMap(({ hosts }) => hosts).toSorted()).toEqual(Object.keys(given).toSorted());
          expect([...changing, ...serving].toSorted()).toEqual(Object.keys(given).toSorted());
          const going = found.flatMap(({ waves, blocked }) => [...waves.flat(), ...blocked]);
          const kept = new Set(special.filter(({ is }) => is !== "unhealthy").map(({ host }) => host));
          expect(going.toSorted()).toEqual(changing.filter((host) => !kept.has(host)).toSorted());
        },
      ),
    );
  });

  test("never has more hosts out at once than the limits allow, in all and by zone", () => {
    fc.assert(
      fc.property(some, fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 3 }), (given, max, maxPerZone) => {
        const service = given as Record<string, Given>;
        for (const wave of plan(service, "100%", { max, maxPerZone }).stages.flatMap(({ waves }) => waves)) {
          expect(wave.length).toBeLessThanOrEqual(max);
          // Who is ill is out already, and is not more out for that.
          for (const zone of ["a", "b", "c"]) {
            expect(
              wave.filter((host) => service[host]?.zone === zone && service[host]?.is !== "ill").length,
            ).toBeLessThanOrEqual(maxPerZone);
          }
        }
      }),
    );
  });

  test("takes a percentage of the hosts that serve, and canaries first", () => {
    const hosts = Object.fromEntries(
      Array.from({ length: 20 }, (_, at) => [`h${10 + at}`, at === 7 ? ({ role: "canary" } as const) : {}]),
    );
    const { stages, limits } = plan(hosts, "100%", { max: "25%" });
    expect(limits.max).toBe(5);
    expect(stages[0]?.waves.map((wave) => wave.length)).toEqual([5, 5, 5, 5]);
    expect(stages[0]?.waves[0]?.[0]).toBe("h17");
  });

  test("says who gets no slot while another host is held", () => {
    const { stages } = plan({ h1: { is: "held" }, h2: {}, h3: {} });
    expect(stages[0]).toMatchObject({ waves: [], blocked: ["h2", "h3"] });
  });

  test("counts waves that it does not list", () => {
    const hosts = Object.fromEntries(Array.from({ length: 250 }, (_, at) => [`h${1000 + at}`, {}]));
    expect(plan(hosts).stages[0]).toMatchObject({ uncounted: 150, moreWaves: 150, atOnce: 1, blocked: [] });
  });

  test("finds hosts of other zones, however many of a full one come before them", () => {
    const hosts = Object.fromEntries(
      Array.from({ length: 300 }, (_, at) => [`h${1000 + at}`, { zone: at < 297 ? "a" : "b" }]),
    );
    expect(plan(hosts, "100%", { max: 2, maxPerZone: 1 }).stages[0]?.waves[0]).toEqual(["h1000", "h1297"]);
  });

  test("of 10,000 hosts is there before a test runs out of time", () => {
    const hosts = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`h${at}`, { zone: `z${at % 3}` }]));
    expect(plan(hosts, "10%,50%,100%", { max: 10 }).changing.length).toBe(10_000);
  });
});

describe("how long it takes", () => {
  const record = (state: "done" | "halted", costs?: DeployRecord["costs"]): DeployRecord => {
    const base = recordOf(serviceOf({ h1: {} }), "100%", {});
    const times = { ...base.times, ended: NOW.toISOString() };
    const known = costs === undefined ? {} : { costs };
    return state === "done"
      ? { ...base, ...known, state, times }
      : { ...base, ...known, state, times, from: "rolling", reason: "" };
  };
  const restart = (deploy: string, ms: number) =>
    hostStatus({
      restart: {
        build: "b2",
        deploy,
        instances: 1,
        closed: 0,
        refused: 0,
        forced: [],
        phaseMs: { stop: ms / 2, start: ms / 2 },
      },
    });

  test("is told by the median of the hosts of the last deploy that was done", () => {
    const statuses = new Map([1000, 3000, 50_000].map((ms, at) => [`h${at}`, restart("d2", ms)] as const));
    const deploys = [
      { id: "d2", record: record("done") },
      { id: "d3", record: record("halted") },
    ];
    expect(timeBasis(deploys, statuses)).toEqual({ hostMs: 3000, deploy: "d2", hosts: 3, as: "median" });
    expect(timeBasis(deploys, new Map([...statuses].slice(0, 2)))?.hostMs).toBe(2000);
  });

  test("is otherwise told by what its record sums up, and without that by nothing", () => {
    const costs = { b2: { hosts: 4, instances: 4, closed: 0, refused: 0, phaseMs: { stop: 4000, start: 8000 } } };
    expect(timeBasis([{ id: "d2", record: record("done", costs) }], new Map())).toEqual({
      hostMs: 3000,
      deploy: "d2",
      hosts: 4,
      as: "mean",
    });
    expect(timeBasis([{ id: "d2", record: record("done") }], new Map())).toBeNull();
    expect(timeBasis([], new Map())).toBeNull();
  });

  test("is the waves one after the other, with soak, and what stages wait", () => {
    const basis = { hostMs: 3000, deploy: "d", hosts: 1, as: "median" } as const;
    const hosts = { h1: { zone: "a" }, h2: { zone: "b" }, h3: { zone: "b" } };
    expect(plannedMs(plan(hosts, "zone:a/5m,100%", { firstZoneSoakMs: 60_000 }), basis)).toBe(
      63_000 + 300_000 + 2 * 4000,
    );
  });
});

describe("what lies between two builds", () => {
  const all = ["b1", "b2", "b3"].map((id) => ({ id, record: { time: NOW.toISOString() } }));
  test.each([
    ["b1", "b3", "forward", ["b2", "b3"]],
    ["b3", "b1", "back", ["b2", "b3"]],
    ["b2", "b2", "same", []],
    [null, "b2", null, ["b2"]],
    ["removed", "b2", null, ["b2"]],
    ["b1", "unknown", null, []],
  ])("from %p to %p is %p: %p", (from, to, direction, builds) => {
    const found = buildsBetween(all, from, to);
    expect({ direction: found.direction, builds: found.builds.map(({ id }) => id) }).toEqual({
      direction,
      builds,
    } as never);
  });
});
