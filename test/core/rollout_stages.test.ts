import { describe, expect, test } from "bun:test";
import type { ConductedDeploy, ConductedService } from "../../src/core/conducted.ts";
import type { DeployMove } from "../../src/core/deploy.ts";
import { conduct } from "../../src/core/rollout.ts";
import { parseStages, reachAfter } from "../../src/core/stages.ts";
import type { DeployState } from "../../src/schema/deploy_record.ts";
import type { Reach } from "../../src/schema/stages.ts";
import type { HostRecord, HostStatus } from "../../src/schema/znodes.ts";
import { deploy, failure, gateOf, served, slot, status, viewOf } from "./conducted_view.ts";

const movesOf = (given: ConductedService): string[] => conduct(given).moves.map(({ kind, host }) => `${kind} ${host}`);
/** What the deploys of the service are moved to, but for what has failed under them. */
const stepsOf = (given: ConductedService): DeployMove[] =>
  conduct(given).steps.map(({ move }) => {
    const { failures: _, ...told } = { failures: null, ...move };
    return told;
  });
const limits = { max: 1, budget: 1, soakMs: 0 };

/** Hosts by name: the first letter is the zone of each, and those of the zone c are canary hosts. */
function hostsOf(names: readonly string[]): Map<string, HostRecord> {
  return new Map(
    names.map((name) => [name, { role: name.startsWith("c") ? "canary" : "fleet", zone: name.slice(0, 1) }]),
  );
}

interface Given {
  readonly state?: DeployState;
  readonly reach?: Reach;
  readonly [field: string]: unknown;
}

/** A service in the middle of a deploy in stages; who has not been reached goes on serving v1 of d0. */
function inStages(
  stages: string,
  { reach, ...given }: Given,
  hosts: Record<string, HostStatus | null>,
  rest: Partial<ConductedService> = {},
): ConductedService {
  const before = { build: "v1", deploy: "d0" };
  const wish = { build: "v2", deploy: "d1", before, ...(reach === undefined ? {} : { reach }) };
  const each = deploy({ stages: parseStages(stages), limits, ...given, ...(reach === undefined ? {} : { reach }) });
  const wishes = reach === undefined ? { enabled: before, canary: wish } : { enabled: wish, canary: null };
  return viewOf(hosts, [each], { wishes, hosts: hostsOf(Object.keys(hosts)), ...rest });
}

const zoneA: Reach = { zones: ["a"], below: 0 };
const old = status({ build: "v1", step: "serving", wish: { build: "v1", deploy: "d0" } });

describe("a stage", () => {
  test("that is over is followed by the next at once, which reaches what it is for and all before", () => {
    const given = inStages("zone:a,zone:b,100%", { reach: zoneA }, { a1: served, a2: served, b1: old });
    expect(stepsOf(given)).toEqual([
      {
        to: "next stage",
        reach: reachAfter(parseStages("zone:a,zone:b"), 1, "d1", hostsOf(["a1", "a2", "b1"]), zoneA),
      },
    ]);
    expect(stepsOf(given)).toMatchObject([{ reach: { zones: ["a", "b"], below: 0 } }]);
  });

  test("never takes back what was reached before it, though hosts have left meanwhile", () => {
    const reach = { zones: [], below: 0.9 };
    const given = inStages("10%,50%,100%", { reach }, { a1: served });
    expect(stepsOf(given)).toEqual([{ to: "next stage", reach: { zones: [], below: 0.9 } }]);
  });

  test("that has a wait of any kind is told to be over first", () => {
    for (const stages of ["zone:a/promote,100%", "zone:a/5m,100%"])
      expect(stepsOf(inStages(stages, { reach: zoneA }, { a1: served, b1: old }))).toEqual([{ to: "proven" }]);
  });

  test("of canary hosts alone is followed by the fleet at once, where nobody is to wait", () => {
    const at = (stages: string) => stepsOf(inStages(stages, { state: "canary" }, { c1: served, b1: old }));
    expect(at("canary/0s,100%")).toEqual([{ to: "next stage", reach: { zones: [], below: 1 } }]);
    expect(at("canary,100%")).toEqual([{ to: "proven" }]);
  });

  test("that is the last ends the deploy", () => {
    const given = { stage: 1, reach: { zones: ["a"], below: 1 } };
    expect(stepsOf(inStages("zone:a,100%", given, { a1: served, b1: served }))).toEqual([{ to: "done", cost: null }]);
    expect(stepsOf(inStages("zone:a,100%", given, { a1: served, b1: status({ step: "fetch" }) }))).toEqual([]);
  });

  test("is not over while one of its hosts is on its way, and those of later ones do not matter", () => {
    const at = (hosts: Record<string, HostStatus>) => stepsOf(inStages("zone:a,100%", { reach: zoneA }, hosts));
    expect(at({ a1: served, a2: status({ step: "fetch" }), b1: old })).toEqual([]);
    expect(at({ a1: served, a2: served, b1: status({ step: "fetch", wish: null }) })).toMatchObject([
      { to: "next stage" },
    ]);
  });

  test("is over with failures within the budget, and with hosts that are out of reach", () => {
    const hosts = { a1: served, a2: status({ step: "failed" }), a3: status({ step: "fetch" }), b1: old };
    const rest = { gate: gateOf({}, { a2: failure() }), alive: new Set(["a1", "a2", "b1"]) };
    expect(stepsOf(inStages("zone:a,100%", { reach: zoneA }, hosts, rest))).toMatchObject([{ to: "next stage" }]);
  });

  test("with no host at all is over as soon as it has begun", () => {
    const reach = { zones: ["z"], below: 0 };
    const at = (state: DeployState) => stepsOf(inStages("zone:z,100%", { state, reach }, { a1: old }));
    expect(at("preparing")).toEqual([{ to: "activating", base: { hosts: 1, zones: { a: 1 } } }]);
    expect(at("rolling")).toMatchObject([{ to: "next stage" }]);
  });

  test("grants its own hosts a slot, and nobody else", () => {
    const hosts = { a1: status(), b1: status(), b2: status({ wish: { build: "v1", deploy: "d0" } }) };
    expect(movesOf(inStages("zone:a,100%", { reach: zoneA, limits: { ...limits, max: 9 } }, hosts))).toEqual([
      "grant a1",
    ]);
  });

  test("has its canary hosts go first, whatever their names", () => {
    const reach = { zones: [], below: 1 };
    expect(movesOf(inStages("100%", { reach }, { a1: status(), c9: status(), b1: status() }))).toEqual(["grant c9"]);
  });
});

describe("the wait of a stage", () => {
  const waiting = (stages: string, serverNowMs: number | null, writtenAtMs = 1_000_000) => {
    const given = inStages(stages, { state: "awaiting promotion", reach: zoneA }, { a1: served, b1: old });
    return stepsOf({ ...given, serverNowMs, deploys: given.deploys.map((each) => ({ ...each, writtenAtMs })) });
  };

  test("is over by ZooKeeper's clock, so long after the record said that its hosts serve", () => {
    expect(waiting("zone:a/5m,100%", 1_299_999)).toEqual([]);
    expect(waiting("zone:a/5m,100%", 1_300_000)).toEqual([{ to: "next stage", reach: { zones: ["a"], below: 1 } }]);
  });

  test("is not over while that time is not known, nor when it has gone backwards", () => {
    expect(waiting("zone:a/5m,100%", null)).toEqual([]);
    expect(waiting("zone:a/5m,100%", 0)).toEqual([]);
  });

  test("for a person is never over by itself", () => {
    expect(waiting("zone:a/promote,100%", 9_000_000_000)).toEqual([]);
  });

  test("ends early where too many of its hosts have failed since", () => {
    const gate = gateOf({}, { a1: failure(), a2: failure() });
    const given = { state: "awaiting promotion", reach: zoneA } as const;
    const hosts = { a1: served, a2: status({ step: "failed" }), b1: old };
    expect(stepsOf(inStages("zone:a/5m,100%", given, hosts, { gate, serverNowMs: 9_000_000 }))).toMatchObject([
      { to: "halted" },
    ]);
  });
});

describe("the progress deadline", () => {
  const still = { deploy: "d1", forMs: 600_000 };
  const working = { a: status({ step: "fetch" }) };
  const at = (each: ConductedDeploy, forMs = still.forMs, id = "d1") =>
    stepsOf(viewOf(working, [each], { still: { deploy: id, forMs } }));

  test.each<[DeployState, boolean]>([
    ["preparing", true],
    ["canary", true],
    ["rolling", true],
    ["rolling back", true],
    ["awaiting promotion", false],
    ["paused", false],
    ["halted", false],
    ["aborted", false],
    ["done", false],
    ["rolled back", false],
  ])("halts a deploy that is %s: %p", (state, isHalted) => {
    expect(at(deploy({ state }))).toEqual(isHalted ? [{ to: "halted", reason: "no host has moved for 10m" }] : []);
  });

  test("is ten minutes, or what the deploy's limits say", () => {
    expect(at(deploy(), 599_999)).toEqual([]);
    const quick = deploy({ limits: { ...limits, progressMs: 90_000 } });
    expect(at(quick, 89_999)).toEqual([]);
    expect(at(quick, 90_000)).toEqual([{ to: "halted", reason: "no host has moved for 90s" }]);
  });

  test("is that of the deploy that stands still, and of no other", () => {
    expect(at(deploy(), still.forMs, "d0")).toEqual([]);
    expect(stepsOf(viewOf(working))).toEqual([]);
  });

  test("lets nobody begin in the round in which it is over", () => {
    const given = viewOf({ a: status() }, [deploy()], { still });
    expect([movesOf(given), stepsOf(given)]).toMatchObject([[], [{ to: "halted" }]]);
  });
});

describe("a deploy that halts, of a service that takes it back then,", () => {
  const failing = { gate: gateOf({}, { a: failure(), b: failure() }) };
  const hosts = { a: status({ step: "failed" }), b: status({ step: "failed" }), x: status() };
  const turned = [{ to: "turned round", reason: "b: it answers 500", cost: null }];
  const each = (changes: object = {}) => deploy({ limits, onHalt: "rollback", ...changes });

  test.each<[DeployState]>([["preparing"], ["canary"], ["awaiting promotion"], ["rolling"]])(
    "is turned round from %s",
    (state) => {
      const given = viewOf(hosts, [each({ state })], failing);
      expect([movesOf(given), stepsOf(given)]).toEqual([[], turned] as never);
    },
  );

  test("says what it has cost so far", () => {
    const restart = { build: "v2", deploy: "d1", instances: 2, closed: 1, refused: null, forced: [], phaseMs: {} };
    const given = viewOf({ ...hosts, x: { ...served, restart } }, [each()], failing);
    expect(stepsOf(given)).toMatchObject([{ to: "turned round", cost: { hosts: 1, instances: 2, closed: 1 } }]);
  });

  test("is turned round whatever it was that halts it", () => {
    const barred = new Map([["v2", '"v2" was barred by eve']]);
    expect(stepsOf(viewOf({ x: status() }, [each()], { barred }))).toMatchObject([
      { to: "turned round", reason: '"v2" was barred by eve' },
    ]);
    const all = viewOf({ a: status({ step: "failed" }) }, [each()], { gate: gateOf({}, { a: failure() }) });
    expect(stepsOf(all)).toMatchObject([{ to: "turned round", reason: "every host that could be reached failed" }]);
    const still = { deploy: "d1", forMs: 600_000 };
    expect(stepsOf(viewOf({ x: status({ step: "fetch" }) }, [each()], { still }))).toMatchObject([
      { to: "turned round", reason: "no host has moved for 10m" },
    ]);
  });

  test.each<[string, object, Partial<ConductedService>]>([
    ["nothing was served before", { previous: null }, {}],
    ["its own build was served before", { previous: "v2" }, {}],
    ["that build was removed", {}, { builds: new Set(["v2"]) }],
    ["that build is barred", {}, { barred: new Map([["v1", "it leaks"]]) }],
    ["a person decides about that", { onHalt: "ask" }, {}],
    ["nothing more is to be deployed then", { onHalt: "freeze" }, {}],
  ])("halts all the same where %s", (_what, changes, rest) => {
    expect(stepsOf(viewOf(hosts, [each(changes)], { ...failing, ...rest }))).toEqual([
      { to: "halted", reason: "b: it answers 500" },
    ]);
  });

  test("halts when it was on its way back already: nothing is before that", () => {
    const wish = { build: "v1", deploy: "d1" };
    const gate = gateOf({}, { a: failure({ build: "v1" }), b: failure({ build: "v1" }) });
    const given = viewOf(hosts, [each({ state: "rolling back" })], { gate, wishes: { enabled: wish, canary: null } });
    expect(stepsOf(given)).toEqual([{ to: "halted", reason: "b: it answers 500" }]);
  });
});

describe("a deploy that is paused", () => {
  const paused = (from: DeployState = "rolling") => deploy({ state: "paused", from, limits });

  test("grants nobody a slot, and comes to nothing by itself", () => {
    expect(conduct(viewOf({ a: status(), b: served }, [paused()]))).toEqual({ moves: [], steps: [] });
    expect(conduct(viewOf({ a: served }, [paused()]))).toEqual({ moves: [], steps: [] });
    const gate = gateOf({}, { a: failure(), b: failure() });
    expect(stepsOf(viewOf({ a: status({ step: "failed" }), b: served }, [paused()], { gate }))).toEqual([]);
    const barred = new Map([["v2", "it burns"]]);
    expect(stepsOf(viewOf({ a: status() }, [paused()], { barred }))).toEqual([]);
    const stages = parseStages("zone:a/5m,100%");
    const waiting = deploy({ state: "paused", from: "awaiting promotion", stages, limits });
    expect(stepsOf(viewOf({ a: served }, [waiting], { serverNowMs: 9_000_000 }))).toEqual([]);
  });

  test("takes back the slots by which nobody has begun, and lets come through who has", () => {
    const hosts = { a: status(), b: status({ step: "restart", begun: true }), x: { ...served } };
    const given = viewOf(hosts, [paused()], { gate: gateOf({ a: slot(), b: slot(), x: slot() }) });
    expect(movesOf(given)).toEqual(["reclaim a", "release x"]);
  });

  test("counts what fails meanwhile, so that it halts when it goes on", () => {
    const failed = status({ step: "failed", failure: { ...failure() } });
    const given = viewOf({ a: failed, b: status() }, [deploy({ state: "paused", from: "rolling" })], {
      gate: gateOf({ a: slot() }),
    });
    expect([movesOf(given), stepsOf(given)]).toEqual([["fail a"], []]);
  });
});
