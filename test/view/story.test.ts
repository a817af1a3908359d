import { expect, test } from "bun:test";
import { newestDeploy, type DeployView } from "../../src/view/deploy.ts";
import { outcomeOf } from "../../src/view/deploy_events.ts";
import type { HostStatus } from "../../src/schema/znodes.ts";
import type { Overview } from "../../src/view/overview.ts";
import { Story, type News } from "../../src/view/story.ts";
import { noon } from "../ctl/terminal.ts";
import { scene, scenes, type SceneHost } from "./scenes.ts";

function viewOf(overview: Overview): DeployView {
  const deploy = newestDeploy(overview);
  if (deploy === null) throw new Error("the scene has no deploy");
  return deploy;
}

/** The news of each of these readings. */
function told(...overviews: readonly Overview[]): News[][] {
  const story = new Story();
  return overviews.map(viewOf).map((view) => story.tell(view, outcomeOf(view, "wait"), noon));
}

const rolling = (hosts: Record<string, SceneHost>): Overview => scene({ state: "rolling" }, hosts);

test("a host's way is told in pieces that say who, what and how many, and in no words", () => {
  const serving = { step: "serving", build: "9b1e0d4" } as const;
  const [first, ...rest] = told(
    rolling({ a: { status: { step: "fetch" } }, b: { connected: false } }),
    rolling({ a: { status: { step: "ready" } }, b: { connected: false } }),
    rolling({ a: { status: { step: "restart" }, slot: true }, b: { status: {} } }),
    rolling({ a: { status: serving }, b: { status: {} } }),
  );
  expect(first?.map(({ kind }) => kind)).toEqual(["first seen"]);
  expect(rest).toEqual([
    [{ kind: "prepared", build: "9b1e0d4", hosts: 1 }],
    [
      { kind: "restarts", host: "a", build: "9b1e0d4" },
      { kind: "connected", host: "b" },
    ],
    [{ kind: "serves", host: "a", build: "9b1e0d4", nth: 1, of: 2 }],
  ]);
});

test("what a host says is told as it says it, whatever is in it", () => {
  const message = "\u001b[31mno\nroom";
  const error = { code: "disk-full", message, hint: "", build: "9b1e0d4", step: "fetch" } as const;
  const [, news] = told(rolling({ a: { status: {} } }), rolling({ a: { status: { step: "fetch", error } } }));
  expect(news).toEqual([
    { kind: "in trouble", host: "a", build: "9b1e0d4", step: "fetch", until: undefined, said: { text: message } },
  ]);
});

test("the outcome has how long it took and the failures that led to it", () => {
  const news = told(scenes.rolling(), scenes.halted()).flat();
  const outcome = news.find((each) => each.kind === "outcome");
  expect(outcome).toMatchObject({ outcome: { kind: "halted" }, tookMs: 540_000 });
  // The one that is still out of service first.
  expect(outcome?.failures.map(({ host }) => host)).toEqual(["web-03", "web-02"]);
});

test("a failure that the record knows the end of is told when the host has said its last word on it", () => {
  const error = { code: "start-failed", message: "no such library", build: "9b1e0d4", step: "restart" } as const;
  const back = {
    step: "restart",
    begun: true,
    rollingBack: true,
    error: { ...error, hint: "Look at its log." },
  } as const;
  const settled = {
    step: "failed",
    build: "77ac001",
    error: { ...error, hint: 'The host went back to "77ac001" and is healthy. Look at its log.' },
  } as const;
  const halted = (status: Partial<HostStatus>, healthy: boolean): Overview =>
    scene({ state: "halted" }, { a: { status, failure: { healthy } }, b: { status: {} } });
  const [between, after] = told(
    rolling({ a: { status: back, slot: true }, b: {} }),
    halted(back, false),
    halted(settled, true),
  ).slice(1);
  expect(between).toEqual([]);
  expect(after).toMatchObject([
    { kind: "failed", failure: { host: "a", hint: settled.error.hint } },
    { kind: "outcome", outcome: { kind: "halted" } },
  ]);
});

test("a host that failed is said to go back when it does, though its slot has become a failure, and to have failed when it is back", () => {
  const error = { code: "check-failed", message: "it answers 500", hint: "", build: "9b1e0d4", step: "check" } as const;
  const back = { step: "restart", begun: true, rollingBack: true, error } as const;
  const [restarts, goesBack, same, failed] = told(
    rolling({ a: { status: { step: "ready" } }, b: { status: { step: "fetch" } } }),
    rolling({ a: { status: { step: "restart", begun: true }, slot: true }, b: { status: { step: "fetch" } } }),
    rolling({ a: { status: back, failure: { healthy: false } }, b: { status: { step: "fetch" } } }),
    rolling({
      a: { status: { ...back, step: "check" }, failure: { healthy: false } },
      b: { status: { step: "fetch" } },
    }),
    rolling({ a: { status: { step: "failed", error }, failure: {} }, b: { status: { step: "fetch" } } }),
  ).slice(1);
  expect(restarts).toEqual([{ kind: "restarts", host: "a", build: "9b1e0d4" }]);
  expect(goesBack).toEqual([{ kind: "goes back", host: "a" }]);
  expect(same).toEqual([]);
  expect(failed).toMatchObject([{ kind: "failed", failure: { host: "a", healthy: true } }]);
});

test("a deploy that is halted has its outcome once those that go back are back, or gone", () => {
  const back = { step: "restart", begun: true, rollingBack: true } as const;
  const outcome = (status: Partial<HostStatus>, healthy: boolean, connected = true) => {
    const hosts = { a: { status, failure: { healthy }, connected } };
    return outcomeOf(viewOf(scene({ state: "halted" }, hosts)), "wait");
  };
  expect(outcome(back, false)).toBeNull();
  expect(outcome(back, false, false)).toMatchObject({ kind: "halted" });
  expect(outcome({ ...back, attempt: 2 }, false)).toMatchObject({ kind: "halted" });
  expect(outcome({ step: "failed" }, true)).toMatchObject({ kind: "halted" });
});
