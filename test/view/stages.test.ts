import { describe, expect, test } from "bun:test";
import { parseStages } from "../../src/core/stages.ts";
import type { DeployState } from "../../src/schema/deploy_record.ts";
import { newestDeploy, stuckForMs, type DeployView } from "../../src/view/deploy.ts";
import { changesBetween, outcomeOf } from "../../src/view/deploy_events.ts";
import { nextSteps, progressText, stateSign } from "../../src/view/deploy_words.ts";
import { allowedIn, amountWithCount } from "../../src/view/limit_words.ts";
import type { Overview } from "../../src/view/overview.ts";
import { noon } from "../ctl/terminal.ts";
import { scene, scenes } from "./scenes.ts";

function viewOf(overview: Overview): DeployView {
  const view = newestDeploy(overview);
  if (view === null) throw new Error("the scene has no deploy");
  return view;
}

const stages = parseStages("canary,zone:a/promote,10%/5m,50%/promote");
const at = (state: DeployState, stage: number, more: object = {}) =>
  viewOf(scene({ state, stages, stage, ...more }, {}));

describe("what a person can do next", () => {
  test.each([
    [0, "On to zone:a: deployd ctl promote web 9b1e0d4"],
    [1, "On to 10%: deployd ctl promote web 9b1e0d4"],
    [2, "On to 50%: deployd ctl promote web 9b1e0d4"],
    [3, "On to the fleet: deployd ctl promote web 9b1e0d4"],
  ])("after stage %p is the next one", (stage, step) => {
    expect(nextSteps(at("awaiting promotion", stage))).toEqual([
      step,
      "Back to 77ac001: deployd ctl rollback web 9b1e0d4",
    ]);
  });

  test.each<[DeployState]>([["paused"], ["halted"]])("where it is %s is to let it go on, or back", (state) => {
    const steps = nextSteps(at(state, 1));
    expect(steps).toEqual([
      "Go on: deployd ctl resume web 9b1e0d4",
      "Back to 77ac001: deployd ctl rollback web 9b1e0d4",
    ]);
  });

  test("is no way to a build that is barred", () => {
    const barred = new Set(["9b1e0d4"]);
    for (const state of ["paused", "halted", "awaiting promotion"] as const)
      expect(nextSteps({ ...at(state, 1), barred })).toEqual(["Back to 77ac001: deployd ctl rollback web 9b1e0d4"]);
    const rollback = { who: "ana", why: "", time: noon.toISOString(), from: "rolling", to: "77ac001" };
    // On its way back it is the other build that matters.
    const back = at("paused", 1, { from: "rolling back", rollback });
    expect(nextSteps({ ...back, barred })[0]).toBe("Go on: deployd ctl resume web 9b1e0d4");
    expect(nextSteps({ ...back, barred: new Set(["77ac001"]) })[0]).not.toContain("resume");
  });
});

test("a paused deploy is told apart by its sign, and is not stuck however long it stands", () => {
  expect(stateSign({ state: "paused" })).toEqual({ glyph: "‖", word: "paused", tone: "warn" });
  const times = { created: "2026-07-01T10:00:00.000Z", changed: "2026-07-01T10:00:00.000Z" };
  const stuck = (state: DeployState) => stuckForMs(at(state, 1, { times }), noon);
  expect(stuck("paused")).toBeNull();
  expect(stuck("awaiting promotion")).toBeNull();
  expect(stuck("rolling")).toBe(7_200_000);
});

test("a deploy that comes to its next stage is news, and so is one that is paused and goes on", () => {
  const events = (before: DeployView, after: DeployView) => changesBetween(before, after).map(({ event }) => event);
  expect(events(at("rolling", 1), at("rolling", 2))).toEqual(["state"]);
  expect(events(at("rolling", 1), at("paused", 1))).toContain("state");
  expect(events(at("paused", 1), at("rolling", 1))).toContain("state");
  expect(events(at("rolling", 1), at("rolling", 1))).toEqual([]);
});

test("where a stage waits for a person that is an outcome, where it waits for time it is none", () => {
  const outcomes = [0, 1, 2, 3].map((stage) => outcomeOf(at("awaiting promotion", stage), "deploy")?.kind ?? null);
  expect(outcomes).toEqual(["awaiting-promotion", "awaiting-promotion", null, "awaiting-promotion"]);
  expect(outcomeOf(at("paused", 1), "deploy")).toEqual({ kind: "paused" });
});

describe("limits in percent", () => {
  test("are told with the hosts that they come to", () => {
    expect(amountWithCount(3, 3)).toBe("3");
    expect(amountWithCount("10%", 2)).toBe("10% (2)");
    expect(amountWithCount("5,10%", 2)).toBe("5 or 10%, whichever is fewer (2)");
  });

  test("are of the hosts that served when it began, and before that of those that it is to come to", () => {
    const hosts = Object.fromEntries(Array.from({ length: 4 }, (_, n) => [`web-${n}`, { status: {} }]));
    const limits = { max: "50%", budget: "25%", soakMs: 0 };
    const before = viewOf(scene({ state: "preparing", limits }, hosts));
    expect(allowedIn(before)).toMatchObject({ max: 2, budget: 1 });
    const begun = viewOf(scene({ limits, base: { hosts: 20, zones: {} } }, hosts));
    expect(allowedIn(begun)).toMatchObject({ max: 10, budget: 5 });
    expect(progressText(begun)).toBe("0/4 serving, restarting 0/10, failed 0 (budget 5)");
  });
});

test("in a stage, those count that it has reached", () => {
  const { live } = viewOf(scenes.stageOver());
  expect(live?.progress.hosts).toEqual(["web-01"]);
  expect(progressText(viewOf(scenes.stageOver()))).toContain("1/1 serving");
});
