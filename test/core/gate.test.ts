import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  countedFailures,
  emptyGate,
  failuresOf,
  outOfService,
  withFailure,
  withForgiven,
  withHealthy,
  withoutSlot,
  withSlot,
} from "../../src/core/gate.ts";

const since = "2026-01-01T00:00:00.000Z";
const slot = { attempt: 1, since };
const failure = { reason: "r", build: "v1", healthy: false, since };

test("a host with a slot is out of service, and back when it gives it up", () => {
  const gate = withSlot(emptyGate, "a", slot);
  expect(outOfService(gate)).toEqual(["a"]);
  expect(withoutSlot(gate, "a")).toEqual(emptyGate);
});

test("a host that failed keeps its place until it is healthy, and its share of the budget for good", () => {
  const gate = withFailure(withSlot(emptyGate, "a", slot), "a", failure);
  expect(gate.slots).toEqual({});
  expect(outOfService(gate)).toEqual(["a"]);
  const healed = withHealthy(gate, "a");
  expect(outOfService(healed)).toEqual([]);
  expect(failuresOf(healed, "v1")).toEqual(["a"]);
  expect(failuresOf(healed, "v2")).toEqual([]);
});

test("giving a slot back does not hide a failure", () => {
  const gate = withSlot(withFailure(emptyGate, "a", failure), "a", slot);
  expect(outOfService(withoutSlot(gate, "a"))).toEqual(["a"]);
});

test("what is forgiven still failed, keeps its share of max, and counts against the budget no longer", () => {
  const gate = withFailure(withFailure(emptyGate, "a", failure), "b", { ...failure, build: "v2" });
  const forgiven = withForgiven(gate, "v1");
  expect(countedFailures(forgiven, "v1")).toEqual([]);
  expect(failuresOf(forgiven, "v1")).toEqual(["a"]);
  expect(outOfService(forgiven)).toEqual(["a", "b"]);
  expect(countedFailures(forgiven, "v2")).toEqual(["b"]);
  expect(countedFailures(withFailure(forgiven, "a", failure), "v1")).toEqual(["a"]);
  expect(withForgiven(forgiven, "v1")).toBe(forgiven);
});

test("where there is nothing to say the gate is the same object, so nothing is written", () => {
  expect(withHealthy(emptyGate, "a")).toBe(emptyGate);
  const healed = withHealthy(withFailure(emptyGate, "a", failure), "a");
  expect(withHealthy(healed, "a")).toBe(healed);
});

test("whatever happens to one host leaves the others, and fields of a newer deployd, as they were", () => {
  const change = fc.constantFrom("slot", "back", "fail", "heal");
  fc.assert(
    fc.property(fc.array(fc.tuple(change, fc.constantFrom("a", "b"))), (changes) => {
      const start = { ...withSlot(withFailure(emptyGate, "z", failure), "y", slot), future: 1 };
      let gate: typeof emptyGate = start;
      for (const [what, host] of changes) {
        if (what === "slot") gate = withSlot(gate, host, slot);
        if (what === "back") gate = withoutSlot(gate, host);
        if (what === "fail") gate = withFailure(gate, host, failure);
        if (what === "heal") gate = withHealthy(gate, host);
        if (what === "fail") expect(gate.slots[host]).toBeUndefined();
      }
      expect(gate.slots["y"]).toEqual(slot);
      expect(gate.failed["z"]).toEqual(failure);
      expect(gate).toHaveProperty("future", 1);
    }),
  );
});
