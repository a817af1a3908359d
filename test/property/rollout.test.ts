import { expect, test } from "bun:test";
import fc from "fast-check";
import { isRunning } from "../../src/core/deploy_state.ts";
import { FleetModel, type Fate } from "./fleet_model.ts";

const nat = fc.nat(11);
const action = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(fc.constant("host" as const), nat) },
  { weight: 3, arbitrary: fc.tuple(fc.constant("quiet host" as const), nat) },
  { weight: 4, arbitrary: fc.tuple(fc.constant("all hosts" as const), nat) },
  { weight: 3, arbitrary: fc.tuple(fc.constant("read" as const), nat) },
  { weight: 4, arbitrary: fc.tuple(fc.constant("act" as const), nat) },
  { weight: 5, arbitrary: fc.tuple(fc.constant("read and act" as const), nat) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("pass" as const), nat) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom("kill" as const, "revive" as const), nat) },
  { weight: 4, arbitrary: fc.tuple(fc.constant("flap" as const), nat) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom("join" as const, "promote" as const, "roll back" as const), nat) },
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom("deploy" as const, "canary" as const), nat) },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

const fleets = fc.record({
  fleet: fc.integer({ min: 1, max: 12 }),
  canaries: fc.nat(2),
  max: fc.integer({ min: 1, max: 3 }),
  budget: fc.nat(2),
  fates: fc.array(fc.constantFrom<Fate>("good", "good", "good", "goes back", "sick", "dies"), {
    minLength: 8,
    maxLength: 8,
  }),
  actions: fc.array(action, { minLength: 20, maxLength: 200 }),
});

/** Builds b0…b3 have a fate of their own on every second host; "best" is good everywhere, "worst" nowhere. */
function fateBy(fates: readonly Fate[]): (build: string, host: string) => Fate {
  return (build, host) => {
    if (build === "best") return "good";
    if (build === "worst") return "goes back";
    const index = Number(build.slice(1)) * 2 + (Number(host.slice(1)) % 2);
    return fates[index] ?? "good";
  };
}

function play(model: FleetModel, actions: readonly Action[]): void {
  for (const [kind, number] of actions) {
    switch (kind) {
      case "host":
        model.stepHost(number, true);
        break;
      case "quiet host":
        model.stepHost(number, false);
        break;
      case "all hosts":
        for (const index of model.hosts.keys()) model.stepHost(index, true);
        break;
      case "read and act":
        model.read(number);
        model.act(number);
        break;
      case "flap":
        model.flap(number);
        break;
      case "read":
        model.read(number);
        break;
      case "act":
        model.act(number);
        break;
      case "pass":
        model.nowMs += number * 20;
        break;
      case "kill":
        model.kill(number);
        break;
      case "revive":
        model.revive(number);
        break;
      case "join":
        if (model.hosts.length < 14) model.join(number % 4 === 0 ? "canary" : "fleet");
        break;
      case "promote":
        model.promote();
        break;
      case "roll back":
        model.rollBack();
        break;
      case "deploy":
        model.deploy(`b${number % 4}`, "fleet");
        break;
      case "canary":
        model.deploy(`b${number % 4}`, "canary");
        break;
    }
  }
}

/** Everybody does what is to be done until nothing changes any more. */
function settle(model: FleetModel): void {
  for (const index of model.hosts.keys()) model.revive(index);
  for (let round = 0; round < 400; round++) {
    const before = model.tree;
    for (const index of model.hosts.keys()) {
      model.revive(index);
      model.stepHost(index, true);
    }
    for (const which of [0, 1]) {
      model.read(which);
      model.act(which);
    }
    if (model.tree === before) return;
  }
  throw new Error("the fleet never comes to rest");
}

test("no more than max hosts are out, whatever dies, lags and fails, and a good build gets everywhere in the end", () => {
  fc.assert(
    fc.property(fleets, ({ fleet, canaries, max, budget, fates, actions }) => {
      const model = new FleetModel(max, budget, fateBy(fates));
      for (let count = 0; count < canaries; count++) model.join("canary");
      for (let count = 0; count < fleet; count++) model.join("fleet");
      model.deploy("best", "fleet");
      settle(model);
      play(model, actions);
      settle(model);
      if (model.promote()) settle(model);
      // A deploy that waits for capacity which sick hosts keep is ended by a person.
      if (model.latest !== undefined && isRunning(model.latest.record)) {
        model.rollBack();
        settle(model);
      }
      if (!model.deploy("best", "fleet")) return;
      settle(model);
      expect(model.latest?.record.state).toBe("done");
      expect(model.hosts.map(({ build }) => build)).toEqual(model.hosts.map(() => "best"));
      expect(model.latest?.gate.slots).toEqual({});
    }),
    { numRuns: 1_200 },
  );
}, 30_000);

test("hosts that were out of reach when a deploy was done do not all fall for a build that fails on them", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 12 }), fc.integer({ min: 1, max: 3 }), fc.nat(2), (late, max, budget) => {
      const model = new FleetModel(max, budget, (_build, host) => (host === "h0" ? "good" : "goes back"));
      for (let count = 0; count <= late; count++) model.join("fleet");
      for (let index = 1; index <= late; index++) model.kill(index);
      model.deploy("b0", "fleet");
      for (let round = 0; round < 10; round++) {
        model.stepHost(0, true);
        model.read(0);
        model.act(0);
      }
      expect(model.latest?.record.state).toBe("done");
      settle(model);
      expect(Object.keys(model.latest?.gate.failed ?? {}).length).toBeLessThanOrEqual(max + budget);
    }),
    { numRuns: 100 },
  );
});

test("a build that fails everywhere halts, and the hosts serve what they served", () => {
  fc.assert(
    fc.property(fleets, ({ fleet, max, budget, actions }) => {
      const model = new FleetModel(max, budget, fateBy([]));
      for (let count = 0; count < fleet; count++) model.join("fleet");
      model.deploy("best", "fleet");
      settle(model);
      model.deploy("worst", "fleet");
      play(
        model,
        actions.filter(([kind]) => kind !== "roll back"),
      );
      settle(model);
      const worst = model.tree.deploys.get("d1");
      expect(worst?.record.state).toBe("halted");
      expect(Object.keys(worst?.gate.failed ?? {}).length).toBeLessThanOrEqual(max + budget);
    }),
    { numRuns: 500 },
  );
});

test("a host that joins or comes back when a deploy is done converges as well", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 6 }), (early, late) => {
      const model = new FleetModel(1, 0, fateBy([]));
      for (let count = 0; count < early; count++) model.join("fleet");
      model.deploy("best", "fleet");
      settle(model);
      expect(model.latest?.record.state).toBe("done");
      for (let count = 0; count < late; count++) model.join("fleet");
      settle(model);
      expect(model.hosts.every(({ build }) => build === "best")).toBe(true);
    }),
    { numRuns: 50 },
  );
});
