import { expect, test } from "bun:test";
import fc from "fast-check";
import { HostModel, type Nature } from "./host_model.ts";

type Action =
  | { kind: "steps"; count: number }
  | { kind: "crash"; effects: number }
  | { kind: "wish"; build: string; sameDeploy: boolean }
  | { kind: "none" | "wish back" | "look" | "conduct" | "lose" | "settle" | "die" | "revive" | "power cut" };

const builds = ["a", "b", "c", "d"] as const;
const natures = fc.record(
  Object.fromEntries(
    builds.map((build) => [
      build,
      fc.constantFrom<Nature>("good", "good", "install-fails", "restart-fails", "restart-kills-agent", "check-fails"),
    ]),
  ),
);

const actions: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant("steps" as const), count: fc.integer({ min: 1, max: 8 }) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("crash" as const), effects: fc.nat(4) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("wish" as const),
        build: fc.constantFrom(...builds),
        sameDeploy: fc.boolean(),
      }),
    },
    { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom("look" as const, "conduct" as const) }) },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constantFrom(
          "none" as const,
          "wish back" as const,
          "lose" as const,
          "settle" as const,
          "die" as const,
          "revive" as const,
          "power cut" as const,
        ),
      }),
    },
  ),
  { minLength: 5, maxLength: 60 },
);

/** Brings a host to a proven build first, so that there is something to lose. */
function hostServing(build: string, nature: (build: string) => Nature): HostModel {
  const host = new HostModel(nature);
  host.target = { kind: "build", build, deploy: "d0" };
  settle(host);
  return host;
}

function settle(host: HostModel): void {
  for (let round = 0; round < 200; round++) {
    const step = host.step();
    if (step.step === "idle" && step.reason !== "zookeeper-unread") {
      // Nothing that the conductor may still do changes this any more.
      host.look();
      host.conduct();
      if (host.next().step === "idle" && host.slots.size === 0) return;
    }
    host.look();
    host.conduct();
  }
  throw new Error(`it never settled; the last steps: ${host.history.slice(-12).join(" ")}`);
}

function play(host: HostModel, list: readonly Action[]): void {
  let deploy = 1;
  // A canary deploy that is rolled back brings its host under the wish of the fleet again.
  let before = host.target;
  for (const action of list) {
    switch (action.kind) {
      case "steps":
        for (let count = 0; count < action.count; count++) host.step();
        break;
      case "crash":
        host.step(action.effects);
        break;
      case "wish":
        if (!action.sameDeploy) {
          deploy += 1;
          before = host.target;
        }
        host.target = { kind: "build", build: action.build, deploy: `d${deploy}` };
        break;
      case "none":
        host.target = { kind: "none" };
        break;
      case "wish back":
        host.target = before;
        break;
      case "look":
        host.look();
        break;
      case "conduct":
        host.conduct();
        break;
      case "lose":
        host.lose();
        break;
      case "settle":
        host.settled.add(`d${deploy}`);
        break;
      case "die":
        host.runs = null;
        break;
      case "power cut":
        host.cutPower();
        break;
      case "revive":
        if (host.current.kind === "link") host.runs = host.current.build;
        break;
    }
  }
}

test("a host converges whatever crashes, wishes and grants come in between, and never acts without permission", () => {
  fc.assert(
    fc.property(natures, actions, fc.constantFrom(...builds), (byBuild, list, last) => {
      const nature = (build: string): Nature => (build === "first" ? "good" : (byBuild[build] ?? "good"));
      const host = hostServing("first", nature);
      play(host, list);
      settle(host);
      host.target = { kind: "build", build: last, deploy: "last" };
      settle(host);
      const { failed } = host.journal;
      if (nature(last) === "good") {
        expect(host.current).toMatchObject({ kind: "link", build: last });
        expect(host.runs).toBe(last);
        expect(failed?.deploy).not.toBe("last");
      } else {
        expect(failed).toMatchObject({ build: last, deploy: "last", reported: true });
        expect(host.failed.get("last")).toMatchObject({ build: last });
      }
      expect(host.current.kind).toBe("link");
      expect(host.slots.size).toBe(0);
    }),
    { numRuns: 6_000 },
  );
}, 30_000);

test("a host whose build fails serves again what it served before", () => {
  fc.assert(
    fc.property(
      fc.constantFrom<Nature>("install-fails", "restart-fails", "restart-kills-agent", "check-fails"),
      fc.array(fc.option(fc.nat(4), { nil: null }), { maxLength: 40 }),
      (nature, crashes) => {
        const host = hostServing("first", (build) => (build === "bad" ? nature : "good"));
        host.target = { kind: "build", build: "bad", deploy: "d1" };
        for (const effects of crashes) {
          host.step(effects ?? undefined);
          host.look();
          host.conduct();
        }
        settle(host);
        const { failed } = host.journal;
        // Restarts into the old build can be used up by crashes as well; then the host says that it is not well.
        if (failed?.healthy === true) {
          expect(host.current).toMatchObject({ build: "first" });
          expect(host.runs).toBe("first");
        } else expect(crashes.filter((effects) => effects !== null).length).toBeGreaterThanOrEqual(3);
      },
    ),
    { numRuns: 1_000 },
  );
});

test("a host that was told nothing yet touches nothing", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(4), { maxLength: 5 }), (crashes) => {
      const host = hostServing("first", () => "good");
      host.target = { kind: "unknown" };
      for (const effects of crashes) expect(host.step(effects)).toEqual({ step: "idle", reason: "zookeeper-unread" });
      expect(host.runs).toBe("first");
    }),
  );
});
