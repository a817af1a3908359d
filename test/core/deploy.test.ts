import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  aborted,
  done,
  halted,
  moved,
  promoted,
  canaryProven,
  rolledBack,
  started,
  turnedRound,
  activating,
  type DeployMove,
} from "../../src/core/deploy.ts";
import { buildWanted, endedAt, goesBack, grantsSlots, isRunning, reasonOf } from "../../src/core/deploy_state.ts";
import { isDeployError } from "../../src/core/errors.ts";
import {
  deployRecordSchema,
  deployStateSchema,
  type DeployRecord,
  type DeployState,
} from "../../src/schema/deploy_record.ts";
import { recordIn } from "../harness/deploy_records.ts";

const states = deployStateSchema.options;
const now = new Date("2026-01-02T03:04:05.000Z");
const time = now.toISOString();
const by = { who: "ana", why: "it is bad", now };

const transitions = {
  activating: (record: DeployRecord) => activating(record, now),
  proven: (record: DeployRecord) => canaryProven(record, now),
  promoted: (record: DeployRecord) => promoted(record, by),
  done: (record: DeployRecord) => done(record, now),
  "turned round": (record: DeployRecord) => turnedRound(record, by),
  "rolled back": (record: DeployRecord) => rolledBack(record, now),
  halted: (record: DeployRecord) => halted(record, "h: it fails", now),
  aborted: (record: DeployRecord) => aborted(record, "overtaken", now),
} satisfies Record<string, (record: DeployRecord) => DeployRecord>;
type Transition = keyof typeof transitions;

/** The state that each transition leads to from each state; what is not named is not legal. */
const table: Record<Transition, Partial<Record<DeployState, DeployState>>> = {
  activating: { preparing: "rolling" },
  proven: { canary: "awaiting promotion" },
  promoted: { "awaiting promotion": "rolling" },
  done: { rolling: "done" },
  "turned round": {
    preparing: "rolling back",
    canary: "rolling back",
    "awaiting promotion": "rolling back",
    rolling: "rolling back",
    done: "rolling back",
    halted: "rolling back",
    aborted: "rolling back",
  },
  "rolled back": { "rolling back": "rolled back" },
  halted: {
    preparing: "halted",
    canary: "halted",
    "awaiting promotion": "halted",
    rolling: "halted",
    "rolling back": "halted",
  },
  aborted: {
    preparing: "aborted",
    canary: "aborted",
    "awaiting promotion": "aborted",
    rolling: "aborted",
    "rolling back": "aborted",
    halted: "aborted",
  },
};

const names = Object.keys(transitions) as Transition[];
const cases = names.flatMap((name) => states.map((from) => [name, from, table[name][from] ?? null] as const));

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return null;
}

test.each(cases)("a deploy is made %s from %s: %p", (name, from, to) => {
  const record = { ...recordIn(from), future: { x: 1 } };
  const before = structuredClone(record);
  if (to === null) {
    const error = thrownBy(() => transitions[name](record));
    if (!isDeployError(error)) throw new Error("it was not refused");
    expect(error).toMatchObject({ code: "internal" });
    expect(error.message).toContain(`make the deploy of "v2" ${name}: it is ${from}`);
  } else {
    const next = transitions[name](record);
    expect(next).toMatchObject({
      state: to,
      future: { x: 1 },
      times: { created: record.times.created, changed: time },
    });
    expect(endedAt(next)).toBe(isRunning(next) ? null : time);
    // What is written can be read again, and nothing is lost in between.
    expect(deployRecordSchema.parse(JSON.parse(JSON.stringify(next)))).toEqual(next);
  }
  expect(record).toEqual(before);
});

test("a deploy starts with what was asked for, on its first stage", () => {
  const limits = { max: 2, budget: 1, soakMs: 5 };
  const plan = {
    build: "v2",
    previous: null,
    stages: ["canary", "fleet"],
    limits,
    who: "ana",
    why: "new",
    now,
  } as const;
  expect(started({ ...plan, stages: [...plan.stages] })).toEqual({
    build: "v2",
    previous: null,
    stages: ["canary", "fleet"],
    limits,
    who: "ana",
    why: "new",
    stage: "canary",
    round: 1,
    state: "preparing",
    times: { created: time, changed: time },
  });
});

test("a deploy to canary hosts is on them first, and in the fleet when it is promoted", () => {
  const canary = activating(recordIn("preparing", { stages: ["canary", "fleet"], stage: "canary" }), now);
  expect(canary).toMatchObject({ state: "canary", stage: "canary" });
  const fleet = promoted(canaryProven(canary, now), by);
  expect(fleet).toMatchObject({ state: "rolling", stage: "fleet", promoted: { who: "ana", why: "it is bad", time } });
});

test("a deploy that is turned round says who, why, from where and to what, and has ended no more", () => {
  const record = turnedRound(recordIn("halted", { reason: "h: it fails" }), by);
  expect(record).toMatchObject({
    reason: "it is bad",
    rollback: { who: "ana", why: "it is bad", time, from: "halted", to: "v1" },
  });
  expect(record.times).not.toHaveProperty("ended");
  // Who gives no reason leaves the one that there is.
  expect(turnedRound(recordIn("halted", { reason: "h: it fails" }), { ...by, why: "" }).reason).toBe("h: it fails");
  expect(turnedRound(recordIn("done"), { ...by, why: "" }).reason).toBe("");
});

test.each([
  ["nothing", null],
  ["its own build", "v2"],
])("a deploy that would go back to %s is not turned round", (_what, previous) => {
  const error = thrownBy(() => turnedRound(recordIn("done", { previous }), by));
  expect(error).toMatchObject({ code: "internal", message: expect.stringContaining("no build to go back to") });
});

test("a way back that is halted still wants the build before, and can be taken up again", () => {
  const back = turnedRound(recordIn("rolling"), by);
  const stopped = halted(back, "h: it fails too", now);
  expect([goesBack(stopped), buildWanted(stopped), reasonOf(stopped)]).toEqual([true, "v1", "h: it fails too"]);
  expect(turnedRound(stopped, by).rollback).toMatchObject({ from: "halted", to: "v1" });
});

test("each time a person turns a deploy round another round begins, and nothing else begins one", () => {
  const back = turnedRound(recordIn("rolling", { round: 2 }), by);
  expect(back.round).toBe(3);
  expect(turnedRound(halted(back, "h: it fails too", now), by).round).toBe(4);
  for (const name of names.filter((each) => each !== "turned round"))
    for (const from of states)
      if (table[name][from] !== undefined) expect(transitions[name](recordIn(from, { round: 2 })).round).toBe(2);
  // A record that an older deployd wrote is in its first round.
  expect(recordIn("rolling").round).toBe(1);
});

const cost = { hosts: 1, instances: 2, closed: 1, refused: null, phaseMs: { stop: 5 } };

test.each<[DeployMove, DeployState, DeployState]>([
  [{ to: "activating" }, "preparing", "rolling"],
  [{ to: "proven" }, "canary", "awaiting promotion"],
  [{ to: "done", cost }, "rolling", "done"],
  [{ to: "rolled back", cost }, "rolling back", "rolled back"],
  [{ to: "halted", reason: "all failed" }, "rolling", "halted"],
  [{ to: "costed", cost }, "done", "done"],
])("the conductor's move %p leads from %s to %s", (move, from, to) => {
  const record = moved(recordIn(from), move, now);
  expect(record.state).toBe(to);
  expect(reasonOf(record)).toBe(move.to === "halted" ? move.reason : "");
});

test("what a deploy has cost is kept by the build that it led to, and what was kept before stays", () => {
  const there = moved(recordIn("rolling", { future: 1 }), { to: "done", cost }, now);
  expect(there).toMatchObject({ costs: { v2: cost }, future: 1 });
  const dearer = { ...cost, closed: 7 };
  const back = moved(turnedRound(there, by), { to: "rolled back", cost: dearer }, now);
  expect(back.costs).toEqual({ v2: cost, v1: dearer });
  expect(deployRecordSchema.parse(JSON.parse(JSON.stringify(back)))).toEqual(back);
  const again = moved(recordIn("halted", { reason: "r", costs: { v1: cost } }), { to: "costed", cost: dearer }, now);
  expect(again).toEqual(recordIn("halted", { reason: "r", costs: { v1: cost, v2: dearer } }));
});

test("a deploy that has cost nothing says nothing of it", () => {
  expect(moved(recordIn("rolling"), { to: "done", cost: null }, now)).not.toHaveProperty("costs");
});

test("every state either runs or has ended, and only what a person must decide on grants nothing", () => {
  const where = (holds: (record: DeployRecord) => boolean) => states.filter((state) => holds(recordIn(state)));
  expect(where(isRunning)).toEqual(["preparing", "canary", "awaiting promotion", "rolling", "rolling back"]);
  expect(where((record) => endedAt(record) !== null)).toEqual(["done", "halted", "aborted", "rolled back"]);
  expect(where((record) => !grantsSlots(record))).toEqual(["halted", "aborted"]);
  expect(where(goesBack)).toEqual(["rolling back", "rolled back"]);
  expect(states.map((state) => buildWanted(recordIn(state)))).toEqual(
    states.map((state) => (state === "rolling back" || state === "rolled back" ? "v1" : "v2")),
  );
});

test("whatever happens to a deploy, it is in one state, keeps what it is, and can be brought to an end", () => {
  const endings: Partial<Record<DeployState, Transition>> = {
    preparing: "activating",
    canary: "proven",
    "awaiting promotion": "promoted",
    rolling: "done",
    "rolling back": "rolled back",
  };
  const stages = fc.constantFrom<DeployRecord["stages"]>(["fleet"], ["canary", "fleet"]);
  fc.assert(
    fc.property(stages, fc.array(fc.constantFrom(...names), { maxLength: 30 }), (stages, tried) => {
      const limits = { max: 1, budget: 0, soakMs: 0 };
      const plan = { build: "v2", previous: "v1", stages, limits, who: "", why: "", now };
      const deploy: { record: DeployRecord } = { record: started(plan) };
      const take = (name: Transition): void => {
        const record = transitions[name](deploy.record);
        expect(deployRecordSchema.parse(record)).toEqual(record);
        expect(record).toMatchObject({ build: "v2", previous: "v1", stages, limits });
        expect(isRunning(record)).toBe(!("ended" in record.times));
        expect(goesBack(record)).toBe("rollback" in record);
        deploy.record = record;
      };
      for (const name of tried) if (table[name][deploy.record.state] !== undefined) take(name);
      for (let next = endings[deploy.record.state]; next !== undefined; next = endings[deploy.record.state]) take(next);
      const final = deploy.record.state;
      expect(isRunning(deploy.record)).toBe(false);
      // From there only a person's word leads on.
      expect(names.filter((name) => table[name][final] !== undefined)).toEqual(
        final === "rolled back" ? [] : final === "halted" ? ["turned round", "aborted"] : ["turned round"],
      );
    }),
  );
});
