import { expect, test } from "bun:test";
import { progressOf } from "../../src/core/progress.ts";
import type { ConductedService } from "../../src/core/conducted.ts";
import { parseStages } from "../../src/core/stages.ts";
import { deploy, failure, gateOf, served, since, slot, status, viewOf } from "./conducted_view.ts";

function progress(given: ConductedService) {
  const [first] = given.deploys;
  if (first === undefined) throw new Error("there is no deploy");
  return progressOf(given, first);
}

test("the progress of a canary deploy counts canaries only, of its build only", () => {
  const wishes = { enabled: { build: "v1", deploy: "d0" }, canary: { build: "v2", deploy: "d1" } };
  const elsewhere = status({ build: "v2", step: "serving", wish: { build: "v2", deploy: "d9" } });
  const given = viewOf({ c1: served, c2: elsewhere, f: served }, [deploy({ state: "canary" })], { wishes });
  expect(progress(given)).toMatchObject({ hosts: ["c1", "c2"], serving: ["c1"], complete: false, moving: false });
});

test("a way back that was halted is measured by the build that it goes back to", () => {
  const rollback = { who: "", why: "", time: since, from: "rolling", to: "v1" };
  const back = status({ build: "v1", step: "serving", wish: { build: "v1", deploy: "d1" } });
  expect(progress(viewOf({ a: back, b: served }, [deploy({ state: "halted", rollback })])).serving).toEqual(["a"]);
});

test("each host is in one place: who has failed does not serve, and who is gone neither", () => {
  const given = viewOf({ a: served, b: served, c: served, d: status() }, [deploy()], {
    gate: gateOf({}, { b: failure() }),
    alive: new Set(["a", "b", "d"]),
  });
  const { serving, failed, unreachable, complete } = progress({
    ...given,
    hosts: new Map(["a", "b", "c", "d"].map((host) => [host, { role: "fleet" }])),
  });
  expect({ serving, failed, unreachable, complete }).toEqual({
    serving: ["a"],
    failed: ["b"],
    unreachable: ["c"],
    complete: false,
  });
});

test("a deploy moves while a host holds a slot of it, or has begun and is there", () => {
  const moving = (...given: Parameters<typeof viewOf>) => progress(viewOf(...given)).moving;
  expect(moving({ a: served })).toBe(false);
  expect(moving({ a: served }, [deploy()], { gate: gateOf({ a: slot() }) })).toBe(true);
  expect(moving({ a: served }, [deploy()], { gate: gateOf({ a: slot({ deploy: "d0" }) }) })).toBe(false);
  // It has failed, and so has its slot no more, and goes back.
  const back = status({ step: "restart", begun: true, rollingBack: true });
  const gate = gateOf({}, { b: failure({ healthy: false }) });
  expect(moving({ a: served, b: back }, [deploy()], { gate })).toBe(true);
  expect(progress(viewOf({ a: served, b: back }, [deploy()], { gate })).complete).toBe(false);
  expect(moving({ a: served, b: back }, [deploy()], { gate, alive: new Set(["a"]) })).toBe(false);
});

test("nothing is hopeless while one serves it, or is on its way, or nobody has failed", () => {
  const gate = gateOf({}, { a: failure() });
  const failed = status({ step: "failed" });
  expect(progress(viewOf({ a: failed }, [deploy()], { gate })).hopeless).toBe(true);
  expect(progress(viewOf({ a: failed, b: served }, [deploy()], { gate })).hopeless).toBe(false);
  expect(progress(viewOf({ a: failed, b: status() }, [deploy()], { gate })).hopeless).toBe(false);
  expect(progress(viewOf({ a: { ...failed, begun: true } }, [deploy()], { gate })).hopeless).toBe(false);
  expect(progress(viewOf({ a: failed }, [deploy()], { gate, alive: new Set() })).hopeless).toBe(true);
  expect(progress(viewOf({ a: served }, [deploy()], { alive: new Set() })).hopeless).toBe(false);
  expect(progress(viewOf({})).hopeless).toBe(false);
});

test("who has failed is through until a person has it tried again, and then when it has failed once more", () => {
  const failed = status({ step: "failed" });
  const at = (again: number, recorded: number) =>
    progress(
      viewOf({ a: failed, b: served }, [deploy({ again, limits: { max: 1, budget: 1, soakMs: 0 } })], {
        gate: gateOf({}, { a: failure({ again: recorded }) }),
      }),
    );
  expect(at(0, 0)).toMatchObject({ failed: ["a"], complete: true });
  expect(at(1, 0)).toMatchObject({ failed: [], serving: ["b"], complete: false });
  expect(at(1, 1)).toMatchObject({ failed: ["a"], complete: true });
  // What came of it before is no reason to give up while it tries again.
  const alone = (again: number) =>
    progress(viewOf({ a: failed }, [deploy({ again })], { gate: gateOf({}, { a: failure() }) })).hopeless;
  expect([alone(0), alone(1)]).toEqual([true, false]);
});

test("who is tried again and serves is counted as serving, though its failure is still on record", () => {
  const given = viewOf({ a: served }, [deploy({ again: 1 })], { gate: gateOf({}, { a: failure() }) });
  expect(progress(given)).toMatchObject({ serving: ["a"], failed: [], complete: true });
});

test("a deploy in stages has the hosts that it has reached, and a stage without any is over", () => {
  const before = { build: "v1", deploy: "d0" };
  const at = (zones: readonly string[], stage = 0) => {
    const reach = { zones, below: 0 };
    const wishes = { enabled: { build: "v2", deploy: "d1", reach, before }, canary: null };
    const given = viewOf({ a: served, b: status() }, [deploy({ stages: parseStages("zone:a,100%"), stage })], {
      wishes,
      hosts: new Map(["a", "b"].map((zone) => [zone, { role: "fleet", zone }])),
    });
    const { hosts, complete } = progress(given);
    return { hosts, complete };
  };
  expect(at(["a"])).toEqual({ hosts: ["a"], complete: true });
  expect(at(["a", "b"])).toEqual({ hosts: ["a", "b"], complete: false });
  expect(at([])).toEqual({ hosts: [], complete: true });
  // After the last stage, nobody at all is no success.
  expect(at([], 1)).toEqual({ hosts: [], complete: false });
});

test("nobody waits for a host that leaves, and a stage whose hosts all leave has proven nothing", () => {
  const hold = { who: "ana", why: "", time: since, stop: true };
  const wishes = {
    enabled: { build: "v2", deploy: "d1", reach: { zones: ["a"], below: 0 }, before: { build: "v1", deploy: "d0" } },
    canary: null,
  };
  const stages = parseStages("zone:a,100%");
  const at = (leaving: readonly string[], changes: Parameters<typeof viewOf>[2] = {}) =>
    progress(
      viewOf({ a: served, b: status() }, [deploy({ stages, stage: 0 })], {
        wishes,
        hosts: new Map(
          ["a", "b"].map((host) => [host, { role: "fleet", zone: "a", ...(leaving.includes(host) && { hold }) }]),
        ),
        ...changes,
      }),
    );
  expect(at([])).toMatchObject({ hosts: ["a", "b"], complete: false });
  expect(at(["b"])).toMatchObject({ hosts: ["a"], serving: ["a"], complete: true });
  expect(at(["a", "b"])).toMatchObject({ hosts: [], complete: false, hopeless: false });
  // Who had begun before it was asked to is waited for.
  expect(at(["b"], { gate: gateOf({ b: slot() }) })).toMatchObject({ moving: true, complete: false });
  // It failed, and then all of them left: the stage is lost, not empty.
  expect(at(["a", "b"], { gate: gateOf({}, { b: failure() }) })).toMatchObject({ complete: false, hopeless: true });
});
