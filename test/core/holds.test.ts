import { describe, expect, test } from "bun:test";
import type { ConductedService } from "../../src/core/conducted.ts";
import { holds } from "../../src/core/holds.ts";
import { conduct } from "../../src/core/rollout.ts";
import type { Limits } from "../../src/schema/limits.ts";
import type { Hold, HostRecord } from "../../src/schema/znodes.ts";
import { deploy, failure, gateOf, now, readable, served, since, slot, status, viewOf } from "./conducted_view.ts";

const held: Hold = { hold: true, who: "ana", why: "a new kernel", since };
const asked = { who: "ana", why: "a new kernel", time: since };
const serving = status({ step: "serving" });

/** Hosts of which those that are named ask to be held; the first letter of a name is its zone. */
function asking(names: readonly string[], who: readonly string[]): Map<string, HostRecord> {
  return new Map(
    names.map((name) => [
      name,
      { role: "fleet", zone: name.slice(0, 1), ...(who.includes(name) ? { hold: asked } : {}) },
    ]),
  );
}

const names = ["a1", "a2", "b1", "b2"];
const all = Object.fromEntries(names.map((name) => [name, serving]));
const limits = (changes: Partial<Limits>): Limits => ({ max: 1, budget: 0, soakMs: 0, ...changes });

/** What becomes of the hosts of which these are asked for. */
function moves(who: readonly string[], rest: Partial<ConductedService> = {}): string[] {
  return holds(viewOf(all, [], { hosts: asking(names, who), ...rest })).map(({ kind, host }) => `${kind} ${host}`);
}

describe("a host that a person asks for", () => {
  test("is held, with who asked and why", () => {
    expect(holds(viewOf(all, [], { hosts: asking(names, ["a2"]) }))).toEqual([
      { kind: "hold", host: "a2", hold: { ...held, since: now.toISOString() } },
    ]);
  });

  test("waits for its turn while as many are out as may be", () => {
    expect(moves(["a1", "a2"])).toEqual(["hold a1"]);
    expect(moves(["a1", "a2"], { limits: limits({ max: 2 }) })).toEqual(["hold a1", "hold a2"]);
    expect(moves(["a1"], { gate: gateOf({ b1: slot() }) })).toEqual([]);
    expect(moves(["a1"], { gate: gateOf({}, { b1: failure({ healthy: false }) }) })).toEqual([]);
    expect(moves(["a1"], { gate: gateOf({}, { b1: failure() }) })).toEqual(["hold a1"]);
    expect(moves(["a1"], { gate: gateOf({}, {}, {}, { b1: held }) })).toEqual(["unhold b1", "hold a1"]);
    expect(moves(["a1", "b1"], { gate: gateOf({}, {}, {}, { b1: held }) })).toEqual([]);
    expect(moves(["a1"], { gate: gateOf({}, {}, { slots: ["b1"] }) })).toEqual([]);
    expect(moves(["a1"], { gate: gateOf({}, {}, { failed: ["b1"] }) })).toEqual([]);
  });

  test("waits while its zone is full, whatever the others have room for", () => {
    const perZone = { limits: limits({ max: 9, maxPerZone: 1 }) };
    expect(moves(["a1", "a2", "b1"], perZone)).toEqual(["hold a1", "hold b1"]);
    expect(moves(["a1", "b1"], { ...perZone, gate: gateOf({ a2: slot() }) })).toEqual(["hold b1"]);
  });

  test("counts by a percentage of the hosts that serve", () => {
    expect(moves(["a1", "a2", "b1"], { limits: limits({ max: "50%" }) })).toEqual(["hold a1", "hold a2"]);
    expect(moves(["a1", "a2", "b1"], { limits: limits({ max: 9, maxPerZone: "50%" }) })).toEqual([
      "hold a1",
      "hold b1",
    ]);
  });

  test("is not held while it has a slot of a deploy, nor twice", () => {
    const free = { limits: limits({ max: 9 }) };
    expect(moves(["a1"], { ...free, gate: gateOf({ a1: slot() }) })).toEqual([]);
    expect(moves(["a1"], { ...free, gate: gateOf({}, {}, { slots: ["a1"] }) })).toEqual([]);
    expect(moves(["a1"], { ...free, gate: gateOf({}, {}, {}, { a1: held }) })).toEqual([]);
  });

  test("is held though as many are out as may be, where it is one of them", () => {
    expect(moves(["a1"], { gate: gateOf({}, { a1: failure({ healthy: false }) }) })).toEqual(["hold a1"]);
    // But not beside another that somebody has taken out.
    expect(moves(["a1"], { gate: gateOf({ b1: slot() }, { a1: failure({ healthy: false }) }) })).toEqual([]);
  });

  test("waits for the next round where a change of it has just been refused, and where the gate is missing", () => {
    expect(moves(["a1"], { leftOut: new Set(["a1"]) })).toEqual([]);
    expect(moves(["a1"], { gate: null })).toEqual([]);
  });
});

describe("a host that is held", () => {
  const gate = gateOf({}, {}, {}, { a1: held });

  test("stays so for as long as the person says", () => {
    expect(moves(["a1"], { gate })).toEqual([]);
    expect(moves([], { gate })).toEqual(["unhold a1"]);
  });

  test("is given back when it has left the service, but not while nobody knows what its record says", () => {
    const hosts = asking(["b1"], []);
    expect(moves([], { gate, hosts })).toEqual(["unhold a1"]);
    expect(moves([], { gate, hosts, unreadable: { ...readable, hosts: new Set(["a1"]) } })).toEqual([]);
  });

  test("makes room in the round in which it is given back", () => {
    expect(moves(["b1"], { gate })).toEqual(["unhold a1", "hold b1"]);
  });
});

describe("in a round", () => {
  const hosts = { a1: status(), b1: status() };
  const round = (rest: Partial<ConductedService>) =>
    conduct(viewOf(hosts, [deploy()], rest)).moves.map(({ kind, host }) => `${kind} ${host}`);

  test("a person comes before the deploy", () => {
    expect(round({ hosts: asking(["a1", "b1"], ["b1"]) })).toEqual(["hold b1"]);
    expect(round({ hosts: asking(["a1", "b1"], []) })).toEqual(["grant a1"]);
  });

  test("a host that was given back leaves its place to the deploy", () => {
    const gate = gateOf({}, {}, {}, { b1: held });
    expect(round({ hosts: asking(["a1", "b1"], []), gate })).toEqual(["unhold b1", "grant a1"]);
    expect(round({ hosts: asking(["a1", "b1"], ["b1"]), gate })).toEqual([]);
  });

  test("a host that is through with its slot is held at once, where a person waits for it", () => {
    const given = viewOf({ a1: served, b1: status() }, [deploy()], {
      gate: gateOf({ a1: slot() }),
      hosts: asking(["a1", "b1"], ["a1"]),
    });
    expect(conduct(given).moves.map(({ kind, host }) => `${kind} ${host}`)).toEqual(["release a1", "hold a1"]);
  });

  test("a host that is out of service by its own fault leaves no room for one that a person asks for", () => {
    const ill = { ...all, b1: status({ step: "serving", health: "unhealthy" }) };
    const given = (who: string) => holds(viewOf(ill, [], { hosts: asking(names, [who]) })).map(({ host }) => host);
    expect(given("a1")).toEqual([]);
    expect(given("b1")).toEqual(["b1"]);
    const begun = { ...all, b1: status({ step: "restart", begun: true }) };
    expect(holds(viewOf(begun, [], { hosts: asking(names, ["a1"]) }))).toEqual([]);
    const unreadable = { ...readable, statuses: new Set(["b1"]) };
    expect(holds(viewOf({ ...all, b1: null }, [], { hosts: asking(names, ["a1"]), unreadable }))).toEqual([]);
  });
});

describe("a host that leaves", () => {
  const leaving = { role: "fleet", hold: { ...asked, stop: true } } as const;

  test("keeps its hold after it is given back until it has begun nothing any more", () => {
    const gate = gateOf({}, {}, {}, { a1: held });
    const view = (begun: boolean) =>
      viewOf({ ...all, a1: status({ step: "idle", begun, health: "nothing" }) }, [], {
        hosts: asking(names, []),
        gate,
      });
    expect(holds(view(true))).toEqual([]);
    expect(holds(view(false))).toMatchObject([{ kind: "unhold", host: "a1" }]);
  });

  test("gives its hold back when it is forgotten, whatever it had begun", () => {
    const gate = gateOf({}, {}, {}, { a1: held });
    const statuses = { ...all, a1: status({ step: "idle", begun: true }) };
    const hosts = asking(["a2", "b1", "b2"], []);
    expect(holds(viewOf(statuses, [], { hosts, gate }))).toMatchObject([{ kind: "unhold", host: "a1" }]);
  });

  test("is no part of what percentages are of", () => {
    const hosts = new Map([...asking(names, ["b1", "b2"]), ["a1", leaving]]);
    expect(moves([], { hosts, limits: limits({ max: "50%" }) })).toEqual(["hold a1"]);
  });
});
