import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  countedFailures,
  emptyGate,
  failuresOf,
  gateAfter,
  noneOut,
  outBy,
  outOfService,
  settledFailures,
  type Gate,
  type GateMove,
} from "../../src/core/gate.ts";
import type { Hold } from "../../src/schema/znodes.ts";
import { failure, gateOf, since, slot } from "./conducted_view.ts";

const ill = failure({ healthy: false });

test("a host with a slot is out of service, and back when it is released", () => {
  const gate = gateAfter(emptyGate, [{ kind: "grant", host: "a", slot: slot() }]);
  expect(gate.slots.get("a")).toEqual(slot());
  expect(outOfService(gate)).toEqual(new Set(["a"]));
  expect(gateAfter(gate, [{ kind: "release", host: "a", healthy: true }])).toEqual(emptyGate);
  expect(gateAfter(gate, [{ kind: "reclaim", host: "a" }])).toEqual(emptyGate);
});

test.each(["fail", "lose"] as const)(
  "a host of which the slot becomes a failure by %s keeps its place until it is healthy, and its share of the budget",
  (kind) => {
    const gate = gateAfter(gateOf({ a: slot() }), [{ kind, host: "a", failure: ill }]);
    expect(gate).toEqual(gateOf({}, { a: ill }));
    expect(outOfService(gate)).toEqual(new Set(["a"]));
    const healed = gateAfter(gate, [{ kind: "heal", host: "a" }]);
    expect(outOfService(healed)).toEqual(new Set());
    const out = outBy(healed, "d1");
    expect(failuresOf(out, "v2")).toEqual(["a"]);
    expect(failuresOf(out, "v1")).toEqual([]);
    expect(countedFailures(out, "v2", 1)).toEqual(["a"]);
  },
);

test("who gives a slot back heals a failure only when it is healthy, and hides none", () => {
  const gate = gateOf({ a: slot({ attempt: 2 }) }, { a: ill });
  expect(gateAfter(gate, [{ kind: "reclaim", host: "a" }])).toEqual(gateOf({}, { a: ill }));
  expect(gateAfter(gate, [{ kind: "release", host: "a", healthy: false }])).toEqual(gateOf({}, { a: ill }));
  expect(gateAfter(gate, [{ kind: "release", host: "a", healthy: true }])).toEqual(gateOf({}, { a: failure() }));
});

test("what is cleared leaves neither a slot nor a failure", () => {
  expect(gateAfter(gateOf({ a: slot() }, { a: ill }), [{ kind: "clear", host: "a" }])).toEqual(emptyGate);
});

test("a failure of an earlier round keeps its share of max, and counts against the budget no longer", () => {
  const out = outBy(gateOf({}, { a: ill, b: failure({ round: 2 }), c: failure({ build: "v1", round: 2 }) }), "d1");
  expect(countedFailures(out, "v2", 2)).toEqual(["b"]);
  expect(failuresOf(out, "v2")).toEqual(["a", "b"]);
  expect(outOfService(gateOf({}, { a: ill }))).toEqual(new Set(["a"]));
});

test("who is to try once more has not failed for good, whichever try it was that failed", () => {
  const failed = { a: failure(), b: failure({ again: 1 }), c: failure({ again: 2 }), d: failure({ build: "v1" }) };
  const out = outBy(gateOf({}, failed), "d1");
  expect([0, 1, 2, 3].map((again) => settledFailures(out, "v2", again))).toEqual([
    ["a", "b", "c"],
    ["b", "c"],
    ["c"],
    [],
  ]);
});

test("a host that a person holds is out of service until it is given back, and of no deploy", () => {
  const hold: Hold = { hold: true, who: "ana", why: "", since };
  const gate = gateAfter(emptyGate, [{ kind: "hold", host: "a", hold }]);
  expect(gate).toEqual(gateOf({}, {}, {}, { a: hold }));
  expect(outOfService(gate)).toEqual(new Set(["a"]));
  expect(outBy(gate, "d1")).toEqual(noneOut);
  expect(gateAfter(gate, [{ kind: "unhold", host: "a" }])).toEqual(emptyGate);
  expect(gateAfter(gate, [{ kind: "clear", host: "a" }])).toEqual(gate);
  // It has failed all the same, and that is forgotten without it.
  const failed = gateOf({}, { a: ill }, {}, { a: hold });
  expect(gateAfter(failed, [{ kind: "clear", host: "a" }])).toEqual(gate);
  expect(gateAfter(failed, [{ kind: "unhold", host: "a" }])).toEqual(gateOf({}, { a: ill }));
});

test("a deploy accounts for its own slots and failures", () => {
  const gate = gateOf(
    { a: slot(), b: slot({ deploy: "d2" }) },
    { a: ill, x: failure({ deploy: "d2" }) },
    { slots: ["y"] },
  );
  expect(outBy(gate, "d1")).toEqual({ slots: { a: slot() }, failed: { a: ill } });
  expect(outBy(gate, "d2")).toEqual({
    slots: { b: slot({ deploy: "d2" }) },
    failed: { x: failure({ deploy: "d2" }) },
  });
  expect(outBy(gate, "d3")).toEqual(noneOut);
});

describe("what cannot be read", () => {
  const gate = gateOf({}, {}, { slots: ["x", "z"], failed: ["y", "z"] });
  const stillUnreadable = (move: GateMove) => {
    const { unreadable } = gateAfter(gate, [move]);
    return [...unreadable.slots, ...unreadable.failed].filter((host) => host === move.host).length;
  };

  test("is out of service", () => {
    expect(outOfService(gate)).toEqual(new Set(["x", "y", "z"]));
  });

  test("of a slot is over when the slot is gone, of a failure when another one is in its place, or none", () => {
    expect(stillUnreadable({ kind: "reclaim", host: "x" })).toBe(0);
    expect(stillUnreadable({ kind: "release", host: "x", healthy: true })).toBe(0);
    expect(stillUnreadable({ kind: "clear", host: "y" })).toBe(0);
    expect(stillUnreadable({ kind: "fail", host: "y", failure: ill })).toBe(0);
    expect(stillUnreadable({ kind: "lose", host: "z", failure: ill })).toBe(0);
    expect(stillUnreadable({ kind: "reclaim", host: "z" })).toBe(1);
    expect(stillUnreadable({ kind: "reclaim", host: "y" })).toBe(1);
  });

  test("is not made better by being healed", () => {
    for (const host of ["x", "y"]) expect(stillUnreadable({ kind: "heal", host })).toBe(1);
    expect(stillUnreadable({ kind: "heal", host: "z" })).toBe(2);
  });
});

const hostMove = fc
  .record({
    kind: fc.constantFrom("grant", "release", "reclaim", "fail", "lose", "heal", "clear"),
    host: fc.constantFrom("a", "b"),
    attempt: fc.nat(3),
    healthy: fc.boolean(),
  })
  .map(({ kind, host, attempt, healthy }): GateMove => {
    switch (kind) {
      case "grant":
        return { kind, host, slot: slot({ attempt }) };
      case "release":
        return { kind, host, healthy };
      case "fail":
      case "lose":
        return { kind, host, failure: failure({ attempt, healthy }) };
      case "reclaim":
      case "heal":
      case "clear":
        return { kind, host };
    }
  });

test("whatever happens to one host leaves the others, and fields of a newer deployd, as they were", () => {
  fc.assert(
    fc.property(fc.array(hostMove, { maxLength: 12 }), (moves) => {
      const newer = { y: slot({ future: 1 }), z: failure({ healthy: false, future: 1 }) };
      const start = gateOf(
        { a: slot(), y: newer.y },
        { b: ill, z: newer.z },
        { slots: ["u", "a"], failed: ["u", "b"] },
      );
      const before = structuredClone(start);
      let gate: Gate = start;
      for (const move of moves) {
        const last = gate;
        gate = gateAfter(last, [move]);
        for (const other of ["a", "b", "u", "y", "z"].filter((host) => host !== move.host)) {
          expect(gate.slots.get(other)).toEqual(last.slots.get(other));
          expect(gate.failed.get(other)).toEqual(last.failed.get(other));
          expect(gate.unreadable.slots.has(other)).toBe(last.unreadable.slots.has(other));
          expect(gate.unreadable.failed.has(other)).toBe(last.unreadable.failed.has(other));
        }
        if (move.kind !== "grant" && move.kind !== "heal") expect(gate.slots.has(move.host)).toBe(false);
      }
      // One after the other, or all at once: it comes to the same.
      expect(gateAfter(start, moves)).toEqual(gate);
      expect(gate.slots.get("y")).toEqual(newer.y);
      expect(gate.failed.get("z")).toEqual(newer.z);
      expect([gate.unreadable.slots.has("u"), gate.unreadable.failed.has("u")]).toEqual([true, true]);
      expect(start).toEqual(before);
    }),
  );
});

test("a host is never out of service less than its slot or its unhealed failure says", () => {
  fc.assert(
    fc.property(fc.array(hostMove, { maxLength: 12 }), (moves) => {
      const gate = gateAfter(emptyGate, moves);
      const out = outOfService(gate);
      for (const host of ["a", "b"]) {
        expect(out.has(host)).toBe(gate.slots.has(host) || gate.failed.get(host)?.healthy === false);
      }
    }),
  );
});
