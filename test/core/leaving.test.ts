import { describe, expect, test } from "bun:test";
import type { Leave } from "../../src/core/leaving.ts";
import { whileLeaving } from "../../src/core/leaving_step.ts";
import type { Situation } from "../../src/core/situation.ts";
import type { InstanceServed } from "../../src/core/served.ts";
import { places, type Place } from "./journals.ts";

const asked: Leave = { kind: "asked", who: "ana", why: "scale in" };
const up: InstanceServed["served"] = { kind: "build", build: "v1" };
const down: InstanceServed["served"] = { kind: "down" };

/** What is next at a place of the journal, when ZooKeeper says this. */
function next(place: Place, leave: Leave, served = down, rest: Partial<Situation> = {}) {
  const actual = {
    current: { kind: "link", build: "v1", changedAtMs: 0 },
    served,
    instances: [{ name: "1", served }],
    startedBy: "deployd",
    stopped: [],
    release: "installed",
    spool: "absent",
  } as const;
  const situation = {
    journal: places[place],
    leave,
    actual,
    mayLeave: true,
    bootId: "boot 1",
    isUnwanted: false,
    ...rest,
  };
  return whileLeaving(situation as unknown as Situation);
}

describe("a host that is asked to leave", () => {
  test("begins when it is held, and not before", () => {
    expect(next("taken up", asked, up)).toEqual({ step: "begin-leave" });
    expect(next("taken up", asked, up, { mayLeave: false })).toBeNull();
    expect(next("taken up", { kind: "stays" }, up)).toBeNull();
  });

  test("stops, whatever ZooKeeper can say meanwhile, unless it is to stay", () => {
    for (const leave of [asked, { kind: "unknown" }, { kind: "forgotten" }] as const)
      expect(next("leaving", leave, up)).toEqual({ step: "stop" });
    expect(next("leaving", { kind: "stays" }, up)).toEqual({ step: "return" });
  });

  test("stays stopped, also when it is forgotten and when nobody can be asked", () => {
    for (const leave of [asked, { kind: "unknown" }, { kind: "forgotten" }] as const) {
      expect(next("left", leave)).toEqual({ step: "idle", reason: "left" });
      expect(next("left", leave, down, { bootId: "boot 2" })).toEqual({ step: "idle", reason: "left" });
    }
  });

  test("is stopped again where a boot has started it, and not where somebody has since", () => {
    expect(next("left", asked, up, { bootId: "boot 2" })).toEqual({ step: "begin-leave" });
    expect(next("left", asked, up)).toEqual({ step: "idle", reason: "left" });
  });
});

describe("a host that is to stay after all", () => {
  const stays: Leave = { kind: "stays" };

  test("starts what it served, as far as that does not run", () => {
    expect(next("left", stays)).toEqual({ step: "return" });
    expect(next("returning", stays)).toEqual({ step: "start-again", build: "v1", instances: ["1"] });
    expect(next("returning", stays, up)).toEqual({ step: "start-again", build: "v1", instances: [] });
  });

  test("starts nothing of a build that is not to run any more", () => {
    const step = { step: "start-again", build: null, instances: [] };
    expect(next("returning", stays, down, { isUnwanted: true })).toEqual(step as never);
  });

  test("leaves all the same where somebody asks again", () => {
    expect(next("returning", asked)).toEqual({ step: "begin-leave" });
  });
});
