import { describe, expect, test } from "bun:test";
import { newestDeploy, type DeployView } from "../../src/ctl/deploy_model.ts";
import { changesBetween, exitForOutcome, outcomeOf, worthALine, type Purpose } from "../../src/ctl/follow_model.ts";
import { followDocument, followLines } from "../../src/ctl/follow_text.ts";
import { plainPaint } from "../../src/ctl/paint.ts";
import type { Overview } from "../../src/store/overview.ts";
import { expectGolden } from "./golden.ts";
import { scene, scenes, type SceneHost } from "./scenes.ts";
import { noon } from "./terminal.ts";

function view(overview: Overview): DeployView {
  const deploy = newestDeploy(overview);
  if (deploy === null) throw new Error("the scene has no deploy");
  return deploy;
}

/** What is printed when these readings follow each other. */
function told(purpose: Purpose, ...overviews: readonly Overview[]): string {
  let before: DeployView | null = null;
  const lines: string[] = [];
  for (const after of overviews.map(view)) {
    const outcome = outcomeOf(after, purpose);
    const when = { first: before === null, last: outcome !== null };
    for (const event of changesBetween(before, after)) {
      if (worthALine(event, 5, when)) lines.push(...followLines(event, noon, plainPaint));
    }
    if (outcome !== null) {
      lines.push(...followLines({ event: "outcome", outcome, view: after }, noon, plainPaint));
      lines.push(`exit ${exitForOutcome(outcome, purpose)}`);
    }
    before = after;
  }
  return lines.join("\n");
}

function at(hosts: Record<string, SceneHost>, state: "preparing" | "rolling" | "done" = "rolling"): Overview {
  return scene({ state }, hosts);
}

function code(overview: Overview, purpose: Purpose): number | null {
  const outcome = outcomeOf(view(overview), purpose);
  return outcome === null ? null : exitForOutcome(outcome, purpose);
}

describe("following a deploy", () => {
  test("tells what each host does, how far it is, and how it ends", async () => {
    const serving = { step: "serving", build: "9b1e0d4" } as const;
    await expectGolden(
      "follow-deploy",
      told(
        "deploy",
        at({ "web-01": { status: {} }, "web-02": { connected: false } }, "preparing"),
        at({ "web-01": { status: { step: "fetch" } }, "web-02": { connected: false } }, "preparing"),
        at({ "web-01": { status: { step: "restart" }, slot: true }, "web-02": { status: { step: "ready" } } }),
        at({ "web-01": { status: serving }, "web-02": { status: { step: "check" }, slot: true } }),
        at({ "web-01": { status: serving }, "web-02": { status: serving } }, "done"),
      ),
    );
  });

  test("of one that halts shows the failures, the end of their logs, and the way back", async () => {
    await expectGolden("follow-halted", told("deploy", scenes.rolling(), scenes.halted()));
  });

  test("of one that waits for its promotion says how to promote it", async () => {
    await expectGolden("follow-canary", told("wait", scenes.canary()));
  });

  test("of one that is over already tells its outcome and not its hosts", async () => {
    await expectGolden("follow-over", told("wait", scenes.done()));
  });

  test.each(["rolling", "done"] as const)(
    "that every host holds, as in a ZooKeeper put back from a backup, ends there and says what to do: %s",
    (state) => {
      const held = { held: { build: "9b1e0d4", deploy: "20260701-115000-ab12", number: 3 }, wish: null };
      const both = at({ "web-01": { status: held }, "web-02": { status: held } }, state);
      expect(told("wait", both)).toContain("deployd ctl services accept web");
      expect(code(both, "wait")).toBe(3);
      // One that is out of reach says nothing of those that are not, and one that follows has the deploy go on.
      expect(code(at({ "web-01": { status: held }, "web-02": { status: {}, connected: false } }, state), "wait")).toBe(
        3,
      );
      const some = code(at({ "web-01": { status: held }, "web-02": { status: {} } }, state), "wait");
      expect(some).toBe(state === "done" ? 3 : null);
    },
  );

  test("says nothing between two readings that are the same", () => {
    for (const overview of [scenes.rolling, scenes.stuck, scenes.halted]) {
      expect(changesBetween(view(overview()), view(overview()))).toEqual([]);
    }
  });

  test("does not repeat what a host did for an older deploy", () => {
    const old = { step: "failed", wish: { build: "77ac001", deploy: "20260630-100000-00ff" } } as const;
    const events = changesBetween(null, view(scene({}, { "web-01": { status: old } })));
    expect(events.map((event) => event.event)).toEqual(["started", "progress"]);
  });

  test("leaves the steps that all hosts take at once out where there are many hosts", () => {
    const events = changesBetween(null, view(scenes.rolling())).filter((event) => event.event === "host");
    const told = (hosts: number) =>
      events.filter((event) => worthALine(event, hosts, { first: true, last: false })).map((event) => event.host);
    expect(told(5)).toEqual(["web-01", "web-02", "web-03", "web-10", "web-11"]);
    expect(told(500)).toEqual(["web-01", "web-02"]);
  });

  test("is one JSON document per event with --json", async () => {
    const events = [
      ...changesBetween(null, view(scenes.rolling())),
      ...changesBetween(view(scenes.rolling()), view(scenes.halted())),
    ];
    const outcome = outcomeOf(view(scenes.halted()), "deploy");
    if (outcome === null) throw new Error("a halted deploy has an outcome");
    const documents = [...events, { event: "outcome", outcome, view: view(scenes.halted()) } as const].map((event) =>
      followDocument(event, noon, { service: "web", id: "20260701-115000-ab12" }, "deploy"),
    );
    await expectGolden("follow-json", documents.map((document) => JSON.stringify(document)).join("\n"));
  });
});

describe("the exit code", () => {
  test("is 0 for what was asked for", () => {
    expect(code(scenes.done(), "deploy")).toBe(0);
    expect(code(scenes.done(), "promote")).toBe(0);
    expect(code(scenes.canary(), "deploy")).toBe(0);
    expect(code(scenes.canary(), "wait")).toBe(0);
    expect(code(scenes.rolledBack(), "rollback")).toBe(0);
  });

  test("is 1, 2 and 3 for an aborted, a rolled back and a halted deploy", () => {
    expect(code(scene({ state: "aborted" }, {}), "deploy")).toBe(1);
    expect(code(scenes.rolledBack(), "deploy")).toBe(2);
    expect(code(scenes.rolledBack(), "wait")).toBe(2);
    expect(code(scenes.halted(), "deploy")).toBe(3);
  });

  test("is not there while the deploy goes on", () => {
    for (const purpose of ["deploy", "promote", "rollback", "wait"] as const) {
      expect(code(scenes.rolling(), purpose)).toBeNull();
    }
  });

  test("is not taken from a reading that is older than the change that was asked for", () => {
    expect(code(scenes.canary(), "promote")).toBeNull();
    expect(code(scenes.halted(), "rollback")).toBeNull();
    expect(code(scenes.done(), "rollback")).toBeNull();
  });

  test("is 1 when a newer deploy took the hosts over", () => {
    const overtaken = { ...view(scenes.rolling()), live: null };
    const outcome = outcomeOf(overtaken, "deploy");
    expect(outcome).toEqual({ kind: "overtaken" });
    expect(exitForOutcome({ kind: "overtaken" }, "deploy")).toBe(1);
  });
});
