import { describe, expect, test } from "bun:test";
import type { ConductedDeploy, ConductedService } from "../../src/core/conducted.ts";
import type { DeployMove } from "../../src/core/deploy.ts";
import { gateAfter, outOfService, type Gate } from "../../src/core/gate.ts";
import { conduct } from "../../src/core/rollout.ts";
import { canariesFirst } from "../../src/core/stages.ts";
import type { HostStatus } from "../../src/schema/znodes.ts";
import { deploy, failure, gateOf, now, readable, served, slot, status, told, viewOf } from "./conducted_view.ts";

const nobody: ReadonlySet<string> = new Set();
const limits = (max: number, budget = 0) => ({ max, budget, soakMs: 0 });
const restart = { build: "v2", deploy: "d1", instances: 2, closed: 1, refused: null, forced: [], phaseMs: { stop: 5 } };
const cost = { hosts: 1, instances: 2, closed: 1, refused: null, phaseMs: { stop: 5 } };

/** What the deploys of the service are moved to, but for what has failed under them. */
const stepsOf = (given: ConductedService): DeployMove[] => conduct(given).steps.map(({ move }) => move);
/** The hosts that are moved, with how. */
const movesOf = (given: ConductedService): string[] => conduct(given).moves.map(({ kind, host }) => `${kind} ${host}`);

test.each<[string, Record<string, HostStatus | null>, ConductedDeploy, Gate, object | null]>([
  [
    "begins to roll where a host holds a slot",
    { a: status({ begun: true }) },
    deploy({ state: "preparing" }),
    gateOf({ a: slot() }),
    { to: "activating" },
  ],
  [
    "begins to roll where all its hosts serve it already",
    { a: served },
    deploy({ state: "preparing" }),
    gateOf(),
    { to: "activating" },
  ],
  [
    "is still prepared while its hosts prepare",
    { a: status({ step: "fetch" }) },
    deploy({ state: "preparing" }),
    gateOf(),
    null,
  ],
  ["is done when all serve it", { a: served }, deploy(), gateOf(), { to: "done", cost: null }],
  [
    "is done with what its restarts have cost",
    { a: { ...served, restart }, b: served },
    deploy(),
    gateOf(),
    { to: "done", cost },
  ],
  ["is not done while one is on its way", { a: served, b: status({ step: "fetch" }) }, deploy(), gateOf(), null],
  [
    "is not done while one goes back, though its slot is gone",
    { a: served, b: status({ step: "restart", begun: true, rollingBack: true }) },
    deploy({ limits: limits(1, 1) }),
    gateOf({}, { b: failure({ healthy: false }) }),
    null,
  ],
  [
    "is done with a failure within its budget",
    { a: served, b: status({ step: "failed" }) },
    deploy({ limits: limits(1, 1) }),
    gateOf({}, { b: failure() }),
    { to: "done" },
  ],
  [
    "is halted when every host has failed within the budget",
    { b: status({ step: "failed" }) },
    deploy({ limits: limits(1, 1) }),
    gateOf({}, { b: failure() }),
    { to: "halted", reason: "every host that could be reached failed" },
  ],
  ["waits while it has no hosts", {}, deploy(), gateOf(), null],
  [
    "waits for a person when all canaries serve it",
    { c1: served },
    deploy({ state: "canary" }),
    gateOf(),
    { to: "proven" },
  ],
  [
    "is rolled back when all serve the build before",
    { a: status({ build: "v1", step: "serving" }) },
    deploy({ state: "rolling back" }),
    gateOf(),
    { to: "rolled back" },
  ],
  [
    "is not rolled back while one still serves the new build",
    { a: served },
    deploy({ state: "rolling back" }),
    gateOf(),
    null,
  ],
  [
    "that waits for promotion is not told so again",
    { c1: served },
    deploy({ state: "awaiting promotion" }),
    gateOf(),
    null,
  ],
])("a deploy %s", (_what, hosts, each, gate, expected) => {
  const steps = stepsOf(viewOf(hosts, [each], { gate }));
  if (expected === null) expect(steps).toEqual([]);
  else expect(steps).toMatchObject([expected]);
});

describe("in one round", () => {
  test("the failure that exceeds the budget halts the deploy, and nobody is granted a slot beside it", () => {
    const says = status({ step: "failed", failure: told() });
    const hosts = { a: says, b: status(), c: status() };
    const held = { gate: gateOf({ a: slot() }) };
    const within = conduct(viewOf(hosts, [deploy({ limits: limits(2, 1) })], held));
    expect(within.moves.map(({ kind, host }) => `${kind} ${host}`)).toEqual(["fail a", "grant c", "grant b"]);
    expect(within.steps).toEqual([]);
    const over = conduct(viewOf(hosts, [deploy({ limits: limits(2) })], held));
    expect(over.moves).toEqual([{ kind: "fail", host: "a", failure: failure() }]);
    expect(over.steps).toMatchObject([{ deploy: { id: "d1" }, move: { to: "halted", reason: "a: it answers 500" } }]);
  });

  test("a check that fails halts the deploy while its host still goes back", () => {
    const goesBack = status({ step: "check", begun: true, failure: told({ healthy: false }) });
    const given = viewOf({ a: goesBack, b: status() }, [deploy()], { gate: gateOf({ a: slot() }) });
    expect(movesOf(given)).toEqual(["fail a"]);
    expect(stepsOf(given)).toMatchObject([{ to: "halted" }]);
  });

  test("a host that is lost halts the deploy as any failure does", () => {
    const away = { alive: new Set(["b"]), missingSince: new Map([["a", 0]]), gate: gateOf({ a: slot() }) };
    const given = viewOf({ a: status({ begun: true }), b: status() }, [deploy({ limits: limits(5) })], away);
    expect(movesOf(given)).toEqual(["lose a"]);
    expect(stepsOf(given)).toMatchObject([{ to: "halted", reason: "a: lost while it held a slot" }]);
  });

  test("the reason of a halt is the failure that was one too many, whichever was counted first", () => {
    const at = (second: number) => `2026-01-01T00:00:0${second}.000Z`;
    const failed = {
      a: failure({ since: at(3), reason: "third" }),
      b: failure({ since: at(1), reason: "first" }),
      x: failure({ since: at(2), reason: "second" }),
    };
    const hosts = { a: null, b: null, x: null };
    const reasonWith = (budget: number) =>
      stepsOf(viewOf(hosts, [deploy({ limits: limits(1, budget) })], { gate: gateOf({}, failed) }));
    expect(reasonWith(1)).toMatchObject([{ to: "halted", reason: "x: second", failures: { hosts: 3 } }]);
    expect(reasonWith(2)).toMatchObject([{ to: "halted", reason: "a: third", failures: { hosts: 3 } }]);
    expect(reasonWith(0)).toMatchObject([{ to: "halted", reason: "b: first", failures: { hosts: 3 } }]);
  });

  test("the first grant makes a deploy active, and the slot names the record as it is after that", () => {
    const round = conduct(viewOf({ a: status() }, [deploy({ state: "preparing" })]));
    expect(round.steps).toMatchObject([{ deploy: { id: "d1" }, move: { to: "activating" } }]);
    expect(round.moves).toEqual([{ kind: "grant", host: "a", slot: slot({ record: 4, since: now.toISOString() }) }]);
    const rolling = conduct(viewOf({ a: status() }));
    expect(rolling.steps).toEqual([]);
    expect(rolling.moves).toMatchObject([{ kind: "grant", slot: { record: 3 } }]);
  });

  test("a deploy that becomes active for another reason is made so once, and its grants name that record", () => {
    const hosts = { a: status({ begun: true }), b: status() };
    const given = viewOf(hosts, [deploy({ state: "preparing", limits: limits(2) })], { gate: gateOf({ a: slot() }) });
    const round = conduct(given);
    expect(round.steps.map(({ move }) => move)).toEqual([{ to: "activating", base: { hosts: 2, zones: {} } }]);
    expect(round.moves).toMatchObject([{ kind: "grant", host: "b", slot: { record: 4 } }]);
  });

  test("the slot of another deploy names that deploy's own record", () => {
    const wishes = { enabled: { build: "v1", deploy: "d0" }, canary: { build: "v2", deploy: "d1" } };
    const old = status({ wish: { build: "v1", deploy: "d0" } });
    const deploys = [
      deploy({ state: "preparing", stages: [...canariesFirst], limits: limits(2) }),
      { ...deploy({ id: "d0", state: "done", build: "v1", previous: "v0", limits: limits(2) }), recordVersion: 8 },
    ];
    const round = conduct(viewOf({ c1: status(), f: old }, deploys, { wishes }));
    expect(round.moves).toMatchObject([
      { host: "c1", slot: { deploy: "d1", build: "v2", record: 4 } },
      { host: "f", slot: { deploy: "d0", build: "v1", record: 8 } },
    ]);
  });

  test("the last release makes a deploy done", () => {
    const given = viewOf({ a: { ...served, restart }, b: served }, [deploy()], { gate: gateOf({ a: slot() }) });
    expect(movesOf(given)).toEqual(["release a"]);
    expect(stepsOf(given)).toEqual([{ to: "done", cost }]);
  });

  test("the last canary's release proves a deploy", () => {
    const given = viewOf({ c1: served }, [deploy({ state: "canary" })], { gate: gateOf({ c1: slot() }) });
    expect([movesOf(given), stepsOf(given)]).toEqual([["release c1"], [{ to: "proven" }]]);
  });

  test("a release makes room for the next grant", () => {
    const given = viewOf({ a: served, b: status() }, [deploy()], { gate: gateOf({ a: slot() }) });
    expect(movesOf(given)).toEqual(["release a", "grant b"]);
    expect(stepsOf(given)).toEqual([]);
    // One that is not well keeps its place.
    const ill = viewOf({ a: { ...served, health: "unhealthy" }, b: status() }, [deploy()], {
      gate: gateOf({ a: slot() }),
    });
    expect(movesOf(ill)).toEqual(["release a"]);
  });

  test("a slot that its host has passed by is taken back, and granted again under the number that it waits with", () => {
    const given = viewOf({ a: status({ attempt: 2 }) }, [deploy()], { gate: gateOf({ a: slot() }) });
    expect(movesOf(given)).toEqual(["reclaim a", "grant a"]);
    expect(conduct(given).moves[1]).toMatchObject({ slot: { attempt: 2 } });
  });

  test("a deploy is not over while a host that failed before is given its slot", () => {
    const gate = gateOf({}, { b: failure() });
    const rolling = deploy({ limits: limits(1, 1) });
    const again = viewOf({ a: served, b: status({ attempt: 2 }) }, [rolling], { gate });
    expect(movesOf(again)).toEqual(["grant b"]);
    expect(stepsOf(again)).toEqual([]);
    const over = viewOf({ a: served, b: status({ step: "failed", attempt: 2 }) }, [rolling], { gate });
    expect(stepsOf(over)).toMatchObject([{ to: "done" }]);
  });

  test("who holds a slot that was not begun loses it when the deploy turned round, and is granted the other build", () => {
    const wish = { build: "v1", deploy: "d1" };
    const given = viewOf({ a: served, b: status({ wish, attempt: 2 }) }, [deploy({ state: "rolling back" })], {
      wishes: { enabled: wish, canary: null },
      gate: gateOf({ b: slot() }),
    });
    expect(movesOf(given)).toEqual(["reclaim b", "grant b"]);
    expect(conduct(given).moves[1]).toMatchObject({ slot: { build: "v1", attempt: 2 } });
  });
});

describe("what has failed under a deploy", () => {
  const summary = { hosts: 1, first: [{ host: "b", reason: "it answers 500" }] };
  const gate = gateOf({}, { b: failure() });
  const moves = (each: ConductedDeploy) =>
    conduct(viewOf({ a: served, b: status({ step: "failed" }) }, [each], { gate })).steps.map(({ move }) => move);

  test("is told with the move that ends it", () => {
    expect(moves(deploy({ limits: limits(1, 1) }))).toEqual([{ to: "done", cost: null, failures: summary }]);
    expect(moves(deploy())).toEqual([{ to: "halted", reason: "b: it answers 500", failures: summary }]);
    expect(moves(deploy({ onHalt: "rollback" }))).toMatchObject([{ to: "turned round", failures: summary }]);
  });

  test("is told once where it became known after the end", () => {
    const ended = (changes: object) => deploy({ state: "halted", reason: "r", ...changes });
    expect(moves(ended({}))).toEqual([{ to: "costed", cost: null, failures: summary }]);
    expect(moves(ended({ failures: { v2: summary } }))).toEqual([]);
    expect(moves(ended({ failures: { v1: summary } }))).toHaveLength(1);
  });
});

describe("what a deploy has cost", () => {
  const halted = (changes: object = {}) => deploy({ state: "halted", reason: "", ...changes });
  const told = { ...served, restart };

  test("is told once it has ended and nobody is at work on it any more", () => {
    expect(stepsOf(viewOf({ a: told }, [halted()]))).toEqual([{ to: "costed", cost }]);
    const held = viewOf({ a: { ...told, step: "restart", begun: true } }, [halted()], { gate: gateOf({ a: slot() }) });
    expect(stepsOf(held)).toEqual([]);
  });

  test("is not told while a host that has failed goes back", () => {
    const back = status({ step: "restart", begun: true, rollingBack: true, restart });
    const gate = gateOf({}, { a: failure({ healthy: false }) });
    expect(stepsOf(viewOf({ a: back }, [halted()], { gate }))).toEqual([]);
    expect(stepsOf(viewOf({ a: { ...back, begun: false, step: "failed" } }, [halted()], { gate }))).toEqual([
      { to: "costed", cost, failures: { hosts: 1, first: [{ host: "a", reason: "it answers 500" }] } },
    ]);
  });

  test("is told once for each build, and never where there was nothing", () => {
    expect(stepsOf(viewOf({ a: told }, [halted({ costs: { v2: cost } })]))).toEqual([]);
    expect(stepsOf(viewOf({ a: told }, [halted({ costs: { v1: cost } })]))).toEqual([{ to: "costed", cost }]);
    expect(stepsOf(viewOf({ a: served }, [halted()]))).toEqual([]);
    expect(stepsOf(viewOf({ a: told }, [deploy({ state: "awaiting promotion" })]))).toEqual([]);
  });

  test("is not told in the round in which another host of it is granted a slot", () => {
    const given = viewOf({ a: told, b: status() }, [deploy({ state: "done" })]);
    expect([movesOf(given), stepsOf(given)]).toEqual([["grant b"], []]);
  });
});

test("a host out of reach does not hold a deploy up, and is brought along when it is back", () => {
  const hosts = { a: served, b: status() };
  const away = viewOf(hosts, [deploy()], { alive: new Set(["a"]) });
  expect([movesOf(away), stepsOf(away)]).toEqual([[], [{ to: "done", cost: null }]]);
  expect(movesOf(viewOf(hosts, [deploy({ state: "done" })]))).toEqual(["grant b"]);
});

test("what cannot be read does not stop a lost holder from being found, nor a slot from being taken back", () => {
  const unreadable = { ...readable, deploys: new Set(["d0"]), wishes: true };
  const hosts = { a: status({ begun: true }), b: status({ attempt: 2 }), c: status() };
  const away = { unreadable, alive: new Set(["b", "c"]), missingSince: new Map([["a", 0]]) };
  const gate = gateOf({ a: slot(), b: slot() });
  expect(movesOf(viewOf(hosts, [deploy({ limits: limits(5, 5) })], { ...away, gate }))).toEqual([
    "lose a",
    "reclaim b",
  ]);
});

test("without the wish, or without its hosts' roles, a deploy does not pass for one that has no hosts left", () => {
  const back = deploy({ state: "rolling back" });
  const wishes = { enabled: null, canary: null };
  expect(stepsOf(viewOf({}, [back]))).toMatchObject([{ to: "rolled back" }]);
  expect(stepsOf(viewOf({ a: served }, [back], { wishes, unreadable: { ...readable, wishes: true } }))).toEqual([]);
  expect(stepsOf(viewOf({}, [back], { unreadable: { ...readable, hosts: new Set(["a"]) } }))).toEqual([]);
});

test("where the gate is missing nothing is granted, moved or concluded", () => {
  expect(conduct(viewOf({ a: served }, [deploy()], { gate: null }))).toEqual({ moves: [], steps: [] });
  expect(conduct(viewOf({ a: status() }, [deploy()], { gate: null }))).toEqual({ moves: [], steps: [] });
});

test("no deploy is over, nor begins to roll, while a slot cannot be read: it may be one of its own", () => {
  const working = status({ step: "restart", begun: true });
  const states: [ConductedDeploy, Record<string, HostStatus>][] = [
    [deploy(), { a: served }],
    [deploy({ state: "canary" }), { c1: served }],
    [deploy({ state: "rolling back" }), { a: status({ build: "v1", step: "serving" }) }],
  ];
  for (const [each, hosts] of states) {
    expect(stepsOf(viewOf(hosts, [each]))).toHaveLength(1);
    const gate = gateOf({}, {}, { slots: ["x"] });
    const rest = { gate, hosts: viewOf(hosts, [each]).hosts, alive: new Set([...Object.keys(hosts), "x"]) };
    expect(stepsOf(viewOf({ ...hosts, x: working }, [each], rest))).toEqual([]);
  }
  // It may fail all the same.
  const failed = gateOf({}, { b: failure() }, { slots: ["x"] });
  expect(stepsOf(viewOf({ a: served, b: status(), x: working }, [deploy()], { gate: failed }))).toMatchObject([
    { to: "halted" },
  ]);
});

test("a host that is unlocked before it has begun, and does not begin, leaves the conductor at rest", () => {
  const unlocked = { deploy: "d1", attempt: 1, who: "ana", time: now.toISOString() };
  const said = { a: status(), b: status({ step: "fetch" }) };
  const hosts = new Map(Object.entries({ a: { role: "fleet" as const, unlocked }, b: { role: "fleet" as const } }));
  let gate = gateOf({ a: slot() });
  const rounds: string[][] = [];
  do {
    const { moves } = conduct(viewOf(said, [deploy({ limits: limits(1, 1) })], { gate, hosts }));
    rounds.push(moves.map(({ kind, host }) => `${kind} ${host}`));
    gate = gateAfter(gate, moves);
  } while (rounds.at(-1)?.length !== 0 && rounds.length < 5);
  expect(rounds.at(-1)).toEqual([]);
  expect(outOfService(gate)).toEqual(new Set());
});

test("a round has nothing to do where nothing has changed", () => {
  const given = viewOf({ a: status({ begun: true }), b: status() }, [deploy()], { gate: gateOf({ a: slot() }) });
  expect(conduct(given)).toEqual({ moves: [], steps: [] });
});

test.each<[string, Record<string, HostStatus | null>, Gate, Partial<ConductedService>, boolean]>([
  ["nobody has the build, and one cannot even fetch the other", { a: status({ step: "fetch" }) }, gateOf(), {}, true],
  ["one has the build", { a: served, b: status({ build: "v1" }) }, gateOf(), {}, false],
  ["one was left ill by it", { a: status({ build: null }) }, gateOf({}, { a: failure({ healthy: false }) }), {}, false],
  ["one failed on it and is well", { a: status({ build: "v1" }) }, gateOf({}, { a: failure() }), {}, true],
  ["one is on its way", { a: status({ build: "v1", begun: true }) }, gateOf({ a: slot({ build: "v1" }) }), {}, false],
  [
    "nobody is there, for a moment",
    { a: served },
    gateOf(),
    { alive: nobody, missingSince: new Map([["a", 950]]) },
    false,
  ],
  ["nobody is there any more", { a: served }, gateOf(), { alive: nobody, missingSince: new Map([["a", 800]]) }, true],
  [
    "nobody knows what one serves",
    { a: null },
    gateOf(),
    { unreadable: { ...readable, statuses: new Set(["a"]) } },
    false,
  ],
])("a way back where %s", (_what, hosts, gate, rest, isOver) => {
  const wishes = { enabled: { build: "v1", deploy: "d1" }, canary: null };
  const steps = stepsOf(viewOf(hosts, [deploy({ state: "rolling back" })], { wishes, gate, ...rest }));
  expect(steps).toEqual(isOver ? [{ to: "rolled back", cost: null }] : []);
});

test("a deploy of a build that was barred is halted, and grants nothing", () => {
  const barred = new Map([["v2", '"v2" was barred by eve']]);
  for (const state of ["preparing", "rolling"] as const) {
    const given = viewOf({ a: status() }, [deploy({ state })], { barred });
    expect([movesOf(given), stepsOf(given)]).toEqual([[], [{ to: "halted", reason: '"v2" was barred by eve' }]]);
  }
});
