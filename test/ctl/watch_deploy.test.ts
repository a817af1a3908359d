import { describe, expect, test } from "bun:test";
import { exitForOutcome } from "../../src/ctl/outcome_exit.ts";
import { plainPaint } from "../../src/cli/paint.ts";
import { storyLines } from "../../src/ctl/story_text.ts";
import { deployEventDocument } from "../../src/ctl/watch_text.ts";
import { newestDeploy, type DeployView } from "../../src/view/deploy.ts";
import { changesBetween, outcomeOf, type Purpose } from "../../src/view/deploy_events.ts";
import type { Overview } from "../../src/view/overview.ts";
import { Story } from "../../src/view/story.ts";
import { scene, scenes, type SceneHost } from "../view/scenes.ts";
import { expectGolden } from "../harness/golden.ts";
import { noon } from "./terminal.ts";

function view(overview: Overview): DeployView {
  const deploy = newestDeploy(overview);
  if (deploy === null) throw new Error("the scene has no deploy");
  return deploy;
}

/** What is printed when these readings follow each other. */
function told(purpose: Purpose, ...overviews: readonly Overview[]): string {
  const story = new Story();
  const lines: string[] = [];
  for (const after of overviews.map(view)) {
    const outcome = outcomeOf(after, purpose);
    lines.push(...storyLines(story.tell(after, outcome, noon), noon, plainPaint));
    if (outcome !== null) lines.push(`exit ${exitForOutcome(outcome, purpose)}`);
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

describe("watching a deploy", () => {
  test("tells what each host does, how far it is, and how it ends", async () => {
    const serving = { step: "serving", build: "9b1e0d4" } as const;
    await expectGolden(
      "watch-deploy",
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
    await expectGolden("watch-halted", told("deploy", scenes.rolling(), scenes.halted()));
  });

  test("of one that waits for its promotion says how to promote it", async () => {
    await expectGolden("watch-canary", told("wait", scenes.canary()));
  });

  test("of one that is over already tells its outcome and not its hosts", async () => {
    await expectGolden("watch-over", told("wait", scenes.done()));
  });

  test.each(["rolling", "done"] as const)(
    "that every host holds, as in a ZooKeeper restored from a backup, ends there and says what to do: %s",
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

  /** A fleet of `n` that goes through the whole ladder, host by host. */
  function* fleetOf(n: number): Generator<Overview> {
    const names = Array.from({ length: n }, (_, at) => `web-${String(at + 1).padStart(2, "0")}`);
    const all = (of: (at: number) => SceneHost) => Object.fromEntries(names.map((name, at) => [name, of(at)]));
    for (const step of ["idle", "fetch", "verify", "extract", "install", "ready"] as const)
      for (const last of names.keys())
        yield at(
          all((host) => ({ status: { step: host <= last ? step : "idle" } })),
          "preparing",
        );
    for (const turn of names.keys())
      for (const step of ["flip", "restart", "check", "soak", "serving"] as const)
        yield at(
          all((host) => {
            if (host < turn) return { status: { step: "serving", build: "9b1e0d4" } };
            if (host > turn) return { status: { step: "ready" } };
            return step === "serving"
              ? { status: { step, build: "9b1e0d4" } }
              : { status: { step }, slot: true as const };
          }),
        );
    yield at(
      all(() => ({ status: { step: "serving", build: "9b1e0d4" } })),
      "done",
    );
  }

  test.each([
    [1, 5],
    [3, 9],
    [20, 23],
    [60, 13],
  ])("of %d hosts takes %d lines and no more", (hosts, lines) => {
    const printed = told("deploy", ...fleetOf(hosts)).split("\n");
    expect(printed.at(-1)).toBe("exit 0");
    expect(printed.length - 1).toBe(lines);
    expect(new Set(printed).size).toBe(printed.length);
  });

  const late = { code: "fetch-failed", message: "Cannot fetch it: 503.", hint: "Wait.", step: "fetch" as const };

  test("tells nothing of what hosts have done for another deploy, or served before", () => {
    const older = { ...late, build: "77ac001", step: "check" as const };
    const printed = told(
      "deploy",
      at({ "web-01": { status: {} }, "web-02": { status: {} } }),
      // The way back of the deploy before is still under way; and one serves what it has served all the time.
      at({
        "web-01": { status: { step: "restart", rollingBack: true, error: older } },
        "web-02": { status: { step: "serving", build: "77ac001" } },
      }),
    );
    expect(printed.split("\n")).toHaveLength(1);
    expect(printed).toMatch(/^12:00:00 {2}web 9b1e0d4 after 77ac001 on 2 hosts/);
  });

  test("tells a sentence once, and of the others who say it only that", () => {
    const trouble = { step: "fetch", error: { ...late, build: "9b1e0d4" } } as const;
    const some = (n: number) =>
      at(Object.fromEntries(["a", "b", "c"].map((name, at) => [name, { status: at < n ? trouble : {} }])));
    const lines = told("deploy", some(0), some(1), some(2), some(3), some(3)).split("\n");
    expect(lines.slice(1)).toEqual([
      "12:00:00  ! a tries again to fetch 9b1e0d4: Cannot fetch it: 503.",
      "12:00:00  ! b tries again to fetch 9b1e0d4: the same as a",
      "12:00:00  ! c tries again to fetch 9b1e0d4: the same as a",
    ]);
    // Each waits until a time of its own, and a download breaks off somewhere else each time.
    const cut = (name: string, n: number, until: string) => ({
      [name]: {
        status: { ...trouble, error: { ...trouble.error, message: `It failed after ${n} of 9 bytes.`, until } },
      },
    });
    const cuts = told(
      "deploy",
      some(0),
      at({ ...cut("a", 3, "2026-07-01T12:15:00.000Z"), b: { status: {} } }),
      at({ ...cut("a", 4, "2026-07-01T12:16:00.000Z"), ...cut("b", 5, "2026-07-01T12:15:30.000Z") }),
    ).split("\n");
    expect(cuts.slice(1)).toEqual([
      "12:00:00  ! a tries again to fetch 9b1e0d4 until 12:15:00: It failed after 3 of 9 bytes.",
      "12:00:00  ! b tries again to fetch 9b1e0d4 until 12:15:30: the same as a",
    ]);
    const printed = told("deploy", scenes.rolling(), scenes.halted(), scenes.halted());
    expect(printed.split("expected 200 from")).toHaveLength(2);
  });

  test("of a step that was tried again in vain tells what helps with the failure", () => {
    const error = { ...late, message: "Step 1 exited with 2.", hint: "See install.log.", step: "install" } as const;
    const trouble = { step: "install", error: { ...error, build: "9b1e0d4" } } as const;
    const failed = { step: "failed", error: { ...error, build: "9b1e0d4" }, log: "npm ERR! EACCES" } as const;
    const both = (status: object) => ({ a: { status, failure: {} }, b: { status, failure: {} } });
    const printed = told(
      "deploy",
      at({ a: { status: {} }, b: { status: {} } }),
      at({ a: { status: trouble }, b: { status: {} } }),
      at(both(failed)),
    );
    expect(printed.split("\n").slice(1)).toEqual([
      "12:00:00  ! a tries again to install 9b1e0d4: Step 1 exited with 2.",
      "12:00:00  ✗ a failed in install of 9b1e0d4, healthy again: as said above",
      "              See install.log.",
      "              | npm ERR! EACCES",
      "12:00:00  ✗ b failed in install of 9b1e0d4, healthy again: the same as a",
    ]);
  });

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

  test("is one JSON document per event with --json", async () => {
    const events = [
      ...changesBetween(null, view(scenes.rolling())),
      ...changesBetween(view(scenes.rolling()), view(scenes.halted())),
    ];
    const outcome = outcomeOf(view(scenes.halted()), "deploy");
    if (outcome === null) throw new Error("a halted deploy has an outcome");
    const documents = [...events, { event: "outcome", outcome, view: view(scenes.halted()) } as const].map((event) =>
      deployEventDocument(event, noon, { service: "web", id: "20260701-115000-ab12" }, "deploy"),
    );
    await expectGolden("watch-json", documents.map((document) => JSON.stringify(document)).join("\n"));
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
    expect(code(scenes.paused(), "deploy")).toBe(3);
    expect(code(scenes.paused(), "wait")).toBe(3);
  });

  test("is 0 where the next stage waits for a person, and not there yet where it waits for time", () => {
    expect(code(scenes.stageOver(), "deploy")).toBe(0);
    expect(code(scenes.stageWaits(), "deploy")).toBeNull();
  });

  test("is not there while the deploy goes on", () => {
    for (const purpose of ["deploy", "promote", "rollback", "wait"] as const) {
      expect(code(scenes.rolling(), purpose)).toBeNull();
    }
  });

  test("is not taken from a reading that is older than the change that was asked for", () => {
    const act = { act: "started", who: "ana", why: "", time: noon.toISOString() };
    const before = view(scene({ state: "awaiting promotion", acts: [act] }, {}));
    expect(outcomeOf(before, "promote", 1)).toEqual({ kind: "awaiting-promotion" });
    expect(outcomeOf(before, "promote", 2)).toBeNull();
    expect(outcomeOf({ ...before, live: null }, "wait", 2)).toBeNull();
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
