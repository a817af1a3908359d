import { expect, test } from "bun:test";
import fc from "fast-check";
import { isRunning } from "../../src/core/deploy_state.ts";
import { hostNames, RolloutModel, type HostEvent } from "./rollout_model.ts";

type Act = (model: RolloutModel) => void;

/** What a host does in one go: mostly what leads on, now and then a part of it, or something that goes wrong. */
const onward: readonly (readonly HostEvent[])[] = [
  ["take up", "prepare", "publish"],
  ["begin"],
  ["begin", "publish"],
  ["serve", "publish"],
  ["go back", "publish"],
  ["publish"],
  ["return", "publish"],
];
const parts: readonly (readonly HostEvent[])[] = [
  ...(["take up", "prepare", "fail to prepare", "serve", "serve ill", "recover", "fall ill", "die"] as const),
  ...(["fail", "go back", "go back in vain"] as const),
].map((event) => [event]);
const hostAct = fc
  .record({
    host: fc.constantFrom(...hostNames),
    events: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...onward) },
      { weight: 1, arbitrary: fc.constantFrom(...parts) },
    ),
  })
  .map(({ host, events }) => {
    const does: Act = (model) => {
      for (const event of events) model.host(host, event);
    };
    return Object.assign(does, named(`${host}: ${events.join(", ")}`));
  });
const conductor = fc.constantFrom<0 | 1>(0, 1);
const part = fc.constantFrom("look", "read", "act", "whole", "whole", "whole", "whole");
const conductorAct = fc.record({ who: conductor, what: part }).map(({ who, what }) => {
  const does: Act = (model) => {
    if (what === "look" || what === "whole") model.look(who);
    if (what === "read" || what === "whole") model.read(who);
    if (what === "act" || what === "whole") model.act(who);
  };
  return Object.assign(does, named(`conductor ${who}: ${what}`));
});
const time = fc
  .constantFrom(10, 60, 100)
  .map((ms) => Object.assign((model: RolloutModel) => model.pass(ms), named(`${ms} ms`)));
const turn = fc.constant(Object.assign((model: RolloutModel) => model.turnRound(), named("turned round")));
const person = fc
  .constantFrom("pause" as const, "resume" as const, "resume" as const, "retry" as const)
  .map((verb) => Object.assign((model: RolloutModel) => model[verb](), named(verb)));
const hold = fc
  .record({ host: fc.constantFrom(...hostNames), isHeld: fc.boolean() })
  .map(({ host, isHeld }) =>
    Object.assign((model: RolloutModel) => model.hold(host, isHeld), named(`${isHeld ? "hold" : "release"} ${host}`)),
  );
const unlock = fc
  .constantFrom(...hostNames)
  .map((host) => Object.assign((model: RolloutModel) => model.unlock(host), named(`unlock ${host}`)));

/** What is shown of it where a property does not hold. */
function named(text: string): { toString(): string } {
  return { toString: () => text };
}

const acts = (...persons: fc.Arbitrary<Act>[]): fc.Arbitrary<Act[]> =>
  fc.array(
    fc.oneof(
      { weight: 16, arbitrary: hostAct },
      { weight: 8, arbitrary: conductorAct },
      { weight: 1, arbitrary: time },
      ...persons.map((arbitrary) => ({ weight: 1, arbitrary })),
    ),
    { minLength: 20, maxLength: 150, size: "max" },
  );
const limits = fc.record({ max: fc.integer({ min: 1, max: 3 }), budget: fc.integer({ min: 0, max: 2 }) });

test("whatever comes in whatever order, no more hosts are taken out of service than may be, and none unseen", () => {
  let most = 0;
  fc.assert(
    fc.property(limits, acts(turn, unlock, person, hold), (given, done) => {
      const model = new RolloutModel(given);
      for (const act of done) {
        act(model);
        most = Math.max(most, model.takenOut.length);
        expect(model.takenOut.length).toBeLessThanOrEqual(given.max);
        expect(model.unaccounted).toEqual([]);
        expect(model.worked).toEqual([]);
        // One that stands still says so when it goes on.
        const { value } = model.record;
        expect(model.isOverBudget && isRunning(value) && value.state !== "paused").toBe(false);
      }
    }),
    { numRuns: 600 },
  );
  // Otherwise nothing would have been shown.
  expect(most).toBeGreaterThan(1);
}, 60_000);

test("whatever came before, a service comes to rest once nothing goes wrong any more", () => {
  const ends = new Set<string>();
  fc.assert(
    fc.property(limits, fc.oneof(acts(turn, unlock, person, hold), acts(unlock, hold)), (given, done) => {
      const model = new RolloutModel(given);
      for (const act of done) act(model);
      model.settle();
      const { value } = model.record;
      ends.add(value.state);
      expect(isRunning(value)).toBe(false);
      expect([...model.gate.value.slots.keys()]).toEqual([]);
      for (const [name, { is }] of model.hosts) {
        expect(is.begun).toBe(false);
        // A deploy that has ended, and over whose budget a host failed since, takes nobody along any more.
        if (model.isOverBudget) continue;
        const hasFailed = model.gate.value.failed.get(name)?.build === is.wish?.build;
        if (value.state === "done" && !hasFailed) expect([name, is.build]).toEqual([name, "v2"]);
        if (value.state === "rolled back" && !hasFailed) expect([name, is.build]).toEqual([name, "v1"]);
      }
      expect([...model.gate.value.failed.values()].filter(({ healthy }) => !healthy)).toEqual([]);
    }),
    { numRuns: 400 },
  );
  expect([...ends].toSorted()).toEqual(["done", "halted", "rolled back"]);
}, 60_000);
