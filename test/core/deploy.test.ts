import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  aborted,
  activating,
  done,
  halted,
  moved,
  paused,
  promoted,
  resumed,
  retried,
  rolledBack,
  stageProven,
  started,
  turnedRound,
  type DeployMove,
} from "../../src/core/deploy.ts";
import {
  BY_ITSELF,
  buildWanted,
  endedAt,
  goesBack,
  grantsSlots,
  isBeforeLastStage,
  isInLastStage,
  isOnCanaries,
  isRunning,
  reasonOf,
  stageAfter,
  stageNow,
  waitsForPerson,
} from "../../src/core/deploy_state.ts";
import { isDeployError } from "../../src/core/errors.ts";
import { canariesFirst, parseStages, toEverybody } from "../../src/core/stages.ts";
import {
  deployRecordSchema,
  deployStateSchema,
  type DeployRecord,
  type DeployState,
  type ResumableState,
} from "../../src/schema/deploy_record.ts";
import { recordIn } from "../harness/deploy_records.ts";

const states = deployStateSchema.options;
const now = new Date("2026-01-02T03:04:05.000Z");
const time = now.toISOString();
const by = { who: "ana", why: "it is bad", now };
const base = { hosts: 9, zones: { a: 4, b: 5 } };
const reach = { zones: [], below: 0.5 };
/** With a stage to come after each of the first two. */
const inStages = { stages: parseStages("canary,50%,100%"), stage: 1 };

const transitions = {
  activating: (record: DeployRecord) => activating(record, base, now),
  "waiting for the next stage": (record: DeployRecord) => stageProven(record, now),
  promoted: (record: DeployRecord) => promoted(record, reach, by, now),
  paused: (record: DeployRecord) => paused(record, by),
  resumed: (record: DeployRecord) => resumed(record, by),
  retried: (record: DeployRecord) => retried(record, by),
  done: (record: DeployRecord) => done(record, now),
  "turned round": (record: DeployRecord) => turnedRound(record, by),
  "rolled back": (record: DeployRecord) => rolledBack(record, now),
  halted: (record: DeployRecord) => halted(record, "h: it fails", now),
  aborted: (record: DeployRecord) => aborted(record, "overtaken", now),
} satisfies Record<string, (record: DeployRecord) => DeployRecord>;
type Transition = keyof typeof transitions;

/**
 * The state that each transition leads to from each state, where one that stands still was rolling before; what is not named
 * is not legal.
 */
const table: Record<Transition, Partial<Record<DeployState, DeployState>>> = {
  activating: { preparing: "rolling" },
  "waiting for the next stage": { canary: "awaiting promotion", rolling: "awaiting promotion" },
  promoted: { canary: "rolling", "awaiting promotion": "rolling", rolling: "rolling" },
  paused: {
    preparing: "paused",
    canary: "paused",
    "awaiting promotion": "paused",
    rolling: "paused",
    "rolling back": "paused",
  },
  resumed: { paused: "rolling", halted: "rolling" },
  retried: {
    ...Object.fromEntries(states.map((state) => [state, state])),
    paused: "rolling",
    halted: "rolling",
  },
  done: { rolling: "done" },
  "turned round": {
    preparing: "rolling back",
    canary: "rolling back",
    "awaiting promotion": "rolling back",
    rolling: "rolling back",
    paused: "rolling back",
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
    paused: "aborted",
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
  const record = { ...recordIn(from, inStages), future: { x: 1 } };
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
    // Who is asked to try again a deploy that has ended begins no other one.
    expect(endedAt(next)).toBe(isRunning(next) ? null : name === "retried" ? endedAt(record) : time);
    // What is written can be read again, and nothing is lost in between.
    expect(deployRecordSchema.parse(JSON.parse(JSON.stringify(next)))).toEqual(next);
  }
  expect(record).toEqual(before);
});

test("a deploy starts with what was asked for, on its first stage, and with the act of who started it", () => {
  const limits = { max: "5,10%", maxPerZone: 1, budget: 1, soakMs: 5 } as const;
  const plan = {
    build: "v2",
    previous: null,
    before: { build: "v1", deploy: "d0" },
    stages: parseStages("zone:a,100%"),
    reach: { zones: ["a"], below: 0 },
    limits,
    onHalt: "rollback",
    who: "ana",
    why: "new",
    now,
  } as const;
  const record = {
    build: "v2",
    previous: null,
    before: { build: "v1", deploy: "d0" },
    stages: parseStages("zone:a,100%"),
    reach: { zones: ["a"], below: 0 },
    limits,
    onHalt: "rollback",
    who: "ana",
    why: "new",
    stage: 0,
    round: 1,
    again: 0,
    state: "preparing",
    times: { created: time, changed: time },
  } as const;
  const act = { act: "started", who: "ana", why: "new", time } as const;
  expect(started(plan)).toEqual({ ...record, stages: [...record.stages], acts: [act] });
  expect(started({ ...plan, reach: undefined })).not.toHaveProperty("reach");
  expect(started({ ...plan, override: "the shop burns" }).acts).toEqual([{ ...act, override: "the shop burns" }]);
});

describe("the stages of a deploy", () => {
  test("begin with the canary hosts, where they are named first, and end with everybody", () => {
    const canary = activating(recordIn("preparing", { stages: canariesFirst }), base, now);
    expect(canary).toMatchObject({ state: "canary", stage: 0, base });
    expect([isOnCanaries(canary), isBeforeLastStage(canary), isInLastStage(canary)]).toEqual([true, true, false]);
    const fleet = promoted(stageProven(canary, now), reach, by, now);
    expect(fleet).toMatchObject({ state: "rolling", stage: 1, reach });
    expect([isOnCanaries(fleet), isBeforeLastStage(fleet), isInLastStage(fleet)]).toEqual([false, false, true]);
    expect(activating(recordIn("preparing"), base, now)).toMatchObject({ state: "rolling", stage: 0 });
  });

  test("are named as they are typed, and so is what comes next", () => {
    const at = (stage: number) => recordIn("rolling", { stages: parseStages("canary,zone:a/promote,10%/5m"), stage });
    expect([0, 1, 2, 3].map((stage) => stageNow(at(stage)))).toEqual(["canary", "zone:a/promote", "10%/5m", "100%"]);
    expect([0, 1, 2, 3].map((stage) => stageAfter(at(stage)))).toEqual(["zone:a", "10%", "100%", ""]);
    expect([0, 1, 2, 3].map((stage) => isBeforeLastStage(at(stage)))).toEqual([false, false, true, false]);
    expect([0, 1, 2, 3].map((stage) => isInLastStage(at(stage)))).toEqual([false, false, false, true]);
  });

  test("wait for a person or for time, and only while it awaits its promotion", () => {
    const at = (state: DeployState, stage: number) =>
      waitsForPerson(recordIn(state, { stages: parseStages("canary,10%/5m,50%/promote"), stage }));
    expect([0, 1, 2].map((stage) => at("awaiting promotion", stage))).toEqual([true, false, true]);
    expect([0, 1, 2].map((stage) => at("rolling", stage))).toEqual([false, false, false]);
  });

  test("do not go on beyond the last", () => {
    for (const state of ["rolling", "awaiting promotion"] as const) {
      const error = thrownBy(() => promoted(recordIn(state, { stages: toEverybody }), reach, by, now));
      expect(error).toMatchObject({ code: "internal", message: expect.stringContaining("it is in its last stage") });
    }
  });

  test("take a person's word, which is an act, or come by themselves, which is none", () => {
    const record = recordIn("awaiting promotion");
    const act = { act: "promoted", who: "ana", why: "it is bad", time } as const;
    expect(promoted(record, reach, by, now).acts).toEqual([act]);
    const override = { who: "ana", why: "", override: "now" };
    expect(promoted(record, reach, override, now).acts).toEqual([{ ...act, why: "", override: "now" }]);
    expect(promoted(record, reach, null, now).acts).toEqual([]);
  });
});

test("what percentages are of is fixed with the first slot, and never again", () => {
  expect(activating(recordIn("preparing"), base, now).base).toEqual(base);
  const earlier = { hosts: 3, zones: { a: 3 } };
  expect(activating(recordIn("preparing", { base: earlier }), base, now).base).toEqual(earlier);
});

describe("a deploy that stands still", () => {
  const resumable: ResumableState[] = ["preparing", "canary", "awaiting promotion", "rolling", "rolling back"];

  test.each(resumable)("when it was %s goes on there, whether it was paused or halted", (from) => {
    const record = recordIn(from, { future: 1 });
    for (const stopped of [paused(record, by), halted(record, "h: it fails", now)]) {
      expect(stopped).toMatchObject({ from, future: 1, stage: record.stage, stages: record.stages });
      expect([buildWanted(stopped), goesBack(stopped)]).toEqual([buildWanted(record), goesBack(record)]);
      expect(grantsSlots(stopped)).toBe(false);
      for (const next of [resumed(stopped, by), retried(stopped, by)]) {
        expect(next).toMatchObject({ state: from, future: 1, stage: record.stage, round: 2 });
        expect(next.times).toEqual({ created: record.times.created, changed: time });
        expect(next).not.toHaveProperty("from");
        expect([buildWanted(next), goesBack(next)]).toEqual([buildWanted(record), goesBack(record)]);
        // It is what it was, but for who has said what.
        if (from !== "rolling back") expect(Object.keys(next).toSorted()).toEqual(Object.keys(record).toSorted());
      }
    }
  });

  test("on its way back keeps where it goes back to, and why", () => {
    const back = turnedRound(recordIn("rolling"), { ...by, why: "checkout fails" });
    for (const stopped of [paused(back, { ...by, why: "lunch" }), halted(back, "h: it fails too", now)]) {
      expect(stopped.rollback).toEqual(back.rollback);
      const next = resumed(stopped, by);
      expect(next).toMatchObject({ state: "rolling back", rollback: back.rollback });
      // Why it was stopped in between is no reason any more.
      expect(reasonOf(next)).toBe("checkout fails");
    }
  });

  test("that does not say where it goes back to is not made to go on", () => {
    const torn = recordIn("halted", { from: "rolling back" });
    for (const go of [resumed, retried])
      expect(thrownBy(() => go(torn, by))).toMatchObject({
        code: "internal",
        message: expect.stringContaining("where it goes back to"),
      });
  });

  test("says who has paused it, and why", () => {
    expect(paused(recordIn("rolling"), by).reason).toBe("paused by ana: it is bad");
    expect(paused(recordIn("rolling"), { ...by, why: "" }).reason).toBe("paused by ana");
  });

  test("can be paused once more after it has gone on", () => {
    const twice = paused(resumed(paused(recordIn("canary"), by), by), { ...by, who: "bo" });
    expect(twice).toMatchObject({ state: "paused", from: "canary", reason: "paused by bo: it is bad" });
  });

  test("and is turned round when it was on its way back already goes on with that", () => {
    const back = turnedRound(recordIn("rolling"), by);
    const again = turnedRound(paused(back, by), by);
    expect(again).toMatchObject({ state: "rolling back", rollback: { from: "paused", to: "v1" }, again: 1 });
  });
});

describe("a deploy that is tried again", () => {
  test("has its failed hosts try once more, with a budget of its own, in whatever state it is", () => {
    for (const state of states) {
      const next = retried(recordIn(state, { round: 2, again: 3 }), by);
      expect(next).toMatchObject({
        round: 3,
        again: 4,
        acts: [{ act: "retried", who: "ana", why: "it is bad", time }],
      });
    }
  });

  test("when it has ended keeps when, and how it was taken back", () => {
    const record = recordIn("rolled back");
    const next = retried(record, by);
    expect(next).toMatchObject({ state: "rolled back", rollback: { to: "v1" } });
    expect(next.times).toEqual({ ...record.times, changed: time });
    expect(retried(recordIn("done"), by).state).toBe("done");
  });

  test("leaves those alone that failed where it is only resumed", () => {
    expect(resumed(recordIn("paused", { again: 3 }), by).again).toBe(3);
  });
});

describe("what people have done to a deploy", () => {
  test("is on record, each act with who, when and why", () => {
    const first = started({
      build: "v2",
      previous: "v1",
      before: null,
      stages: [...canariesFirst],
      limits: { max: 1, budget: 0, soakMs: 0 },
      onHalt: "ask",
      ...by,
    });
    const acts = [
      (record: DeployRecord) => paused(record, { ...by, who: "bo" }),
      (record: DeployRecord) => resumed(record, { ...by, who: "cy", override: "now" }),
      (record: DeployRecord) => activating(record, base, now),
      (record: DeployRecord) => stageProven(record, now),
      (record: DeployRecord) => promoted(record, reach, { who: "di", why: "" }, now),
      (record: DeployRecord) => halted(record, "h: it fails", now),
      (record: DeployRecord) => retried(record, { ...by, who: "ed" }),
      (record: DeployRecord) => turnedRound(record, { ...by, who: "fi" }),
      (record: DeployRecord) => aborted(record, "aborted by gus", now, { who: "gus", why: "enough" }),
    ].reduce<DeployRecord>((record, act) => act(record), first);
    expect(acts.acts.map(({ act, who, why }) => [act, who, why])).toEqual([
      ["started", "ana", "it is bad"],
      ["paused", "bo", "it is bad"],
      ["resumed", "cy", "it is bad"],
      ["promoted", "di", ""],
      ["retried", "ed", "it is bad"],
      ["turned round", "fi", "it is bad"],
      ["aborted", "gus", "enough"],
    ]);
    expect(acts.acts.map(({ override }) => override ?? "")).toEqual(["", "", "now", "", "", "", ""]);
    expect(new Set(acts.acts.map((act) => act.time))).toEqual(new Set([time]));
  });

  test("is nothing where nobody has done anything", () => {
    const still = (
      ["activating", "waiting for the next stage", "done", "rolled back", "halted", "aborted"] as const
    ).map((name) => {
      const [from] = Object.keys(table[name]) as DeployState[];
      return transitions[name](recordIn(from ?? "done", inStages)).acts;
    });
    expect(still).toEqual([[], [], [], [], [], []]);
  });

  test("keeps the first act, and the last of fifty", () => {
    const record = Array.from({ length: 60 }, (_, at) => at).reduce<DeployRecord>(
      (before, at) => retried(before, { ...by, who: `who ${at}` }),
      recordIn("done", { acts: [{ act: "started", who: "ana", why: "", time }] }),
    );
    expect(record.acts).toHaveLength(50);
    expect(record.acts[0]).toMatchObject({ act: "started", who: "ana" });
    expect(record.acts.slice(1).map(({ who }) => who)).toEqual(Array.from({ length: 49 }, (_, at) => `who ${at + 11}`));
    expect(record.again).toBe(60);
  });
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
  // Its hosts try once more; those of a deploy that went forward until then have nothing to try again.
  expect([back.again, turnedRound(stopped, by).again]).toEqual([0, 1]);
});

test("each time a person says that it goes on, or back, another round begins, and nothing else begins one", () => {
  const back = turnedRound(recordIn("rolling", { round: 2 }), by);
  expect(back.round).toBe(3);
  expect(turnedRound(halted(back, "h: it fails too", now), by).round).toBe(4);
  const begins: readonly Transition[] = ["turned round", "resumed", "retried"];
  for (const name of names)
    for (const from of states)
      if (table[name][from] !== undefined)
        expect(transitions[name](recordIn(from, { ...inStages, round: 2 })).round).toBe(begins.includes(name) ? 3 : 2);
  // A record that an older deployd wrote is in its first round.
  expect(recordIn("rolling").round).toBe(1);
});

const cost = { hosts: 1, instances: 2, closed: 1, refused: null, phaseMs: { stop: 5 } };

test.each<[DeployMove, DeployState, DeployState]>([
  [{ to: "activating", base }, "preparing", "rolling"],
  [{ to: "proven" }, "canary", "awaiting promotion"],
  [{ to: "proven" }, "rolling", "awaiting promotion"],
  [{ to: "next stage", reach }, "rolling", "rolling"],
  [{ to: "next stage", reach }, "awaiting promotion", "rolling"],
  [{ to: "done", cost }, "rolling", "done"],
  [{ to: "rolled back", cost }, "rolling back", "rolled back"],
  [{ to: "halted", reason: "all failed" }, "rolling", "halted"],
  [{ to: "costed", cost }, "done", "done"],
])("the conductor's move %p leads from %s to %s", (move, from, to) => {
  const before = recordIn(from, { stages: parseStages("50%,100%") });
  const record = moved(before, move, now);
  expect(record.state).toBe(to);
  expect(reasonOf(record)).toBe(move.to === "halted" ? move.reason : "");
  expect(record.stage).toBe(move.to === "next stage" ? 1 : 0);
  expect(record.acts).toEqual([]);
});

test("a deploy that is turned round by itself says so, and what it had cost until then", () => {
  const record = moved(recordIn("rolling"), { to: "turned round", reason: "h: it fails", cost }, now);
  expect(record).toMatchObject({
    state: "rolling back",
    reason: "h: it fails",
    rollback: { who: BY_ITSELF, why: "h: it fails", from: "rolling", to: "v1" },
    costs: { v2: cost },
    acts: [{ act: "turned round", who: BY_ITSELF, why: "h: it fails", time }],
    round: 2,
  });
});

test("what a deploy has cost is kept by the build that it led to, and what was kept before stays", () => {
  const there = moved(recordIn("rolling", { future: 1 }), { to: "done", cost }, now);
  expect(there).toMatchObject({ costs: { v2: cost }, future: 1 });
  const dearer = { ...cost, closed: 7 };
  const back = moved(turnedRound(there, by), { to: "rolled back", cost: dearer }, now);
  expect(back.costs).toEqual({ v2: cost, v1: dearer });
  expect(deployRecordSchema.parse(JSON.parse(JSON.stringify(back)))).toEqual(back);
  const again = moved(recordIn("halted", { reason: "r", costs: { v1: cost } }), { to: "costed", cost: dearer }, now);
  const kept = recordIn("halted", { reason: "r", costs: { v1: cost, v2: dearer } });
  expect(again).toEqual({ ...kept, times: { ...kept.times, changed: time } } as DeployRecord);
});

test("what has failed is kept by the build that it failed on, with the move that tells it", () => {
  const failures = { hosts: 2, first: [{ host: "a", reason: "it answers 500" }] };
  const fewer = { hosts: 1, first: [{ host: "b", reason: "no room" }] };
  const stopped = moved(recordIn("rolling"), { to: "halted", reason: "a: it answers 500", failures }, now);
  expect(stopped).toMatchObject({ state: "halted", failures: { v2: failures } });
  const back = moved(turnedRound(stopped, by), { to: "rolled back", cost: null, failures: fewer }, now);
  expect(back.failures).toEqual({ v2: failures, v1: fewer });
  const turned = moved(recordIn("rolling"), { to: "turned round", reason: "r", cost: null, failures }, now);
  expect([turned.state, turned.failures]).toEqual(["rolling back", { v2: failures }]);
  expect(moved(recordIn("done"), { to: "costed", cost: null, failures }, now).failures).toEqual({ v2: failures });
  expect(deployRecordSchema.parse(JSON.parse(JSON.stringify(back)))).toEqual(back);
});

test("a deploy that has cost nothing says nothing of it", () => {
  expect(moved(recordIn("rolling"), { to: "done", cost: null }, now)).not.toHaveProperty("costs");
});

test("every state either runs or has ended, and only what a person must decide on grants nothing", () => {
  const where = (holds: (record: DeployRecord) => boolean) => states.filter((state) => holds(recordIn(state)));
  expect(where(isRunning)).toEqual(["preparing", "canary", "awaiting promotion", "rolling", "paused", "rolling back"]);
  expect(where((record) => endedAt(record) !== null)).toEqual(["done", "halted", "aborted", "rolled back"]);
  expect(where((record) => !grantsSlots(record))).toEqual(["paused", "halted", "aborted"]);
  expect(where(goesBack)).toEqual(["rolling back", "rolled back"]);
  expect(states.map((state) => buildWanted(recordIn(state)))).toEqual(
    states.map((state) => (state === "rolling back" || state === "rolled back" ? "v1" : "v2")),
  );
});

test("whatever happens to a deploy, it is in one state, keeps what it is, and can be brought to an end", () => {
  const endings: Partial<Record<DeployState, Transition>> = {
    preparing: "activating",
    canary: "waiting for the next stage",
    "awaiting promotion": "promoted",
    rolling: "done",
    paused: "resumed",
    "rolling back": "rolled back",
  };
  const stages = fc.constantFrom("100%", "canary,100%", "zone:a,10%/5m,50%/promote,100%").map(parseStages);
  fc.assert(
    fc.property(stages, fc.array(fc.constantFrom(...names), { maxLength: 30 }), (stages, tried) => {
      const limits = { max: 1, budget: 0, soakMs: 0 };
      const facts = { build: "v2", previous: "v1", before: null, stages, limits, onHalt: "ask", ...by } as const;
      const plan = { ...facts, notify: ["ops"] };
      const deploy: { record: DeployRecord } = { record: started(plan) };
      const mayTake = (name: Transition): boolean =>
        table[name][deploy.record.state] !== undefined && (name !== "promoted" || !isInLastStage(deploy.record));
      const take = (name: Transition): void => {
        const record = transitions[name](deploy.record);
        expect(deployRecordSchema.parse(record)).toEqual(record);
        expect(record).toMatchObject({ build: "v2", previous: "v1", stages, limits });
        expect(isRunning(record)).toBe(!("ended" in record.times));
        expect(goesBack(record)).toBe("rollback" in record);
        // Whatever changes its state is told, each as one more than the one before.
        const told = record.telling?.notices ?? [];
        const numbers = told.map(({ number }) => number);
        expect(numbers).toEqual(numbers.map((_, at) => (numbers[0] ?? 0) + at));
        if (name !== "activating") expect(told.at(-1)?.state).toBe(record.state);
        deploy.record = record;
      };
      for (const name of tried) if (mayTake(name)) take(name);
      const ending = (): Transition | undefined => {
        // After the last stage there is nothing to wait for: a person who looks at such a record ends it.
        const next = endings[deploy.record.state];
        return next === "promoted" && isInLastStage(deploy.record) ? "aborted" : next;
      };
      for (let next = ending(); next !== undefined; next = ending()) take(next);
      const final = deploy.record.state;
      expect(isRunning(deploy.record)).toBe(false);
      // From there only a person's word leads on.
      expect(names.filter((name) => table[name][final] !== undefined)).toEqual(
        final === "rolled back"
          ? ["retried"]
          : final === "halted"
            ? ["resumed", "retried", "turned round", "aborted"]
            : ["retried", "turned round"],
      );
    }),
  );
});
