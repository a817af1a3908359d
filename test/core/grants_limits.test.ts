import { describe, expect, test } from "bun:test";
import type { ConductedDeploy, ConductedService } from "../../src/core/conducted.ts";
import { grants, isOverBudget } from "../../src/core/grants.ts";
import { conduct } from "../../src/core/rollout.ts";
import type { Base } from "../../src/schema/deploy_record.ts";
import type { Limits } from "../../src/schema/limits.ts";
import type { HostRecord, HostStatus } from "../../src/schema/znodes.ts";
import { deploy, failure, gateOf, nothingHeldBack, since, slot, status, viewOf } from "./conducted_view.ts";

const nobody: ReadonlySet<string> = new Set();
const hostsGranted = (given: ConductedService) => grants(given, nobody).map(({ host }) => host);

/** As many hosts as named that wait, h0 and so on. */
const waiting = (count: number, said: HostStatus = status()): Record<string, HostStatus> =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`h${at}`, said]));

function within(limits: Partial<Limits>, base?: Base): ConductedDeploy {
  return deploy({ limits: { max: 1, budget: 0, soakMs: 0, ...limits }, ...(base === undefined ? {} : { base }) });
}

/** Hosts by zone: the first letter of a name is its zone. */
function zoned(names: readonly string[]): Map<string, HostRecord> {
  return new Map(names.map((name) => [name, { role: "fleet", zone: name.slice(0, 1) }]));
}

describe("of a limit in percent", () => {
  test.each<[Limits["max"], number]>([
    ["10%", 1],
    ["20%", 2],
    ["29.9%", 2],
    ["1%", 1],
    ["3,50%", 3],
    ["5,20%", 2],
  ])("%s of ten hosts lets go: %p", (max, count) => {
    expect(hostsGranted(viewOf(waiting(10), [within({ max })]))).toHaveLength(count);
  });

  test("hosts that join empty raise nothing, before the first slot or after", () => {
    const empty = status({ build: null, health: "nothing", step: "fetch" });
    const hosts = { ...waiting(4), ...Object.fromEntries(["x", "y", "z", "w"].map((name) => [name, empty])) };
    expect(hostsGranted(viewOf(hosts, [within({ max: "50%" })]))).toEqual(["h0", "h1"]);
    // Later they serve, and so would count if it were counted anew.
    const all = waiting(8);
    expect(hostsGranted(viewOf(all, [within({ max: "50%" }, { hosts: 4, zones: {} })]))).toEqual(["h0", "h1"]);
    expect(hostsGranted(viewOf(all, [within({ max: "50%" })]))).toHaveLength(4);
  });

  test("hosts that leave in the middle do not lower it: it was said of those that served when it began", () => {
    expect(hostsGranted(viewOf(waiting(3), [within({ max: "50%" }, { hosts: 4, zones: {} })]))).toEqual(["h0", "h1"]);
  });

  test("what it is of goes on record with the first slot, and that grant obeys it", () => {
    const hosts = { ...waiting(4), x: status({ build: null, health: "nothing", step: "fetch" }) };
    const preparing = deploy({ state: "preparing", limits: { max: "50%", budget: 0, soakMs: 0 } });
    const { moves, steps } = conduct(viewOf(hosts, [preparing]));
    expect(moves).toHaveLength(2);
    expect(steps.map(({ move }) => move)).toEqual([{ to: "activating", base: { hosts: 4, zones: {} } }]);
  });
});

describe("of a limit by zone", () => {
  const names = ["a1", "a2", "a3", "a4", "b1", "b2"];
  const hosts = Object.fromEntries(names.map((name) => [name, status()]));
  const granted = (limits: Partial<Limits>, rest: Partial<ConductedService> = {}) =>
    hostsGranted(viewOf(hosts, [within(limits)], { hosts: zoned(names), ...rest }));

  test("as many of each zone go as may, up to the limit for all", () => {
    expect(granted({ max: 9, maxPerZone: 1 })).toEqual(["a1", "b1"]);
    expect(granted({ max: 3, maxPerZone: 2 })).toEqual(["a1", "a2", "b1"]);
    expect(granted({ max: 9, maxPerZone: "50%" })).toEqual(["a1", "a2", "b1"]);
    expect(granted({ max: 9, maxPerZone: "1,50%" })).toEqual(["a1", "b1"]);
    expect(granted({ max: 1, maxPerZone: 2 })).toEqual(["a1"]);
  });

  test("a host that is out of service fills its own zone and no other", () => {
    const gate = gateOf({ a4: slot() });
    expect(granted({ max: 9, maxPerZone: 1 }, { gate })).toEqual(["b1"]);
    const failed = gateOf({}, { b2: failure({ healthy: false }) });
    expect(granted({ max: 9, maxPerZone: 1, budget: 1 }, { gate: failed })).toEqual(["a1"]);
    const held = gateOf({}, {}, {}, { a4: { hold: true, who: "ana", why: "", since } });
    expect(granted({ max: 9, maxPerZone: 1 }, { gate: held })).toEqual(["b1"]);
  });

  test("a host that is out already takes no place in its zone but its own", () => {
    const ill = { ...hosts, a4: status({ health: "unhealthy" }) };
    const given = (limits: Partial<Limits>) => viewOf(ill, [within(limits)], { hosts: zoned(names) });
    expect(hostsGranted(given({ max: 2, maxPerZone: 1 }))).toEqual(["a4", "b1"]);
  });

  test("hosts of no zone are limited with all others alone", () => {
    const none = new Map<string, HostRecord>(names.map((name) => [name, { role: "fleet" }]));
    expect(granted({ max: 3, maxPerZone: 1 }, { hosts: none })).toEqual(["a1", "a2", "a3"]);
  });

  test("the size of a zone is that of when the first slot was granted", () => {
    const base = { hosts: 40, zones: { a: 12, b: 2 } };
    const given = viewOf(hosts, [within({ max: 9, maxPerZone: "25%" }, base)], { hosts: zoned(names) });
    expect(hostsGranted(given)).toEqual(["a1", "a2", "a3", "b1"]);
  });
});

describe("a budget in percent", () => {
  const failing = (count: number) =>
    gateOf({}, Object.fromEntries(Array.from({ length: count }, (_, at) => [`f${at}`, failure()])));
  const isOver = (budget: Limits["budget"], failures: number, base?: Base) => {
    const given = viewOf(waiting(20), [within({ budget }, base)], { gate: failing(failures) });
    const [first] = given.deploys;
    return first === undefined ? null : isOverBudget(given, first);
  };

  test("is of the hosts that served when the deploy began, rounded down", () => {
    expect([0, 1, 2, 3].map((failures) => isOver("10%", failures))).toEqual([false, false, false, true]);
    expect([0, 1].map((failures) => isOver("4%", failures))).toEqual([false, true]);
    expect([1, 2].map((failures) => isOver("1,10%", failures))).toEqual([false, true]);
    const base = { hosts: 10, zones: {} };
    expect([1, 2].map((failures) => isOver("10%", failures, base))).toEqual([false, true]);
  });

  test("is not used up where nobody has failed, even where it is none at all", () => {
    expect(isOver("0%", 0)).toBe(false);
    expect(isOver("0%", 1)).toBe(true);
  });
});

describe("what others forbid", () => {
  test("for the whole service lets no host go, and for one host that host alone", () => {
    const hosts = { a: status(), b: status() };
    const service = { ...nothingHeldBack, service: 'waits for "db", which is rolling' };
    expect(hostsGranted(viewOf(hosts, [deploy()], { heldBack: service }))).toEqual([]);
    const heldBack = { service: null, host: (host: string) => (host === "a" ? 'waits for "db"' : null) };
    expect(hostsGranted(viewOf(hosts, [deploy()], { heldBack }))).toEqual(["b"]);
  });

  test("a host that a person holds, or asks for, is granted nothing, and takes a place once it is held", () => {
    const hosts = { a: status(), b: status() };
    const asked = new Map<string, HostRecord>([
      ["a", { role: "fleet", hold: { who: "ana", why: "", time: since } }],
      ["b", { role: "fleet" }],
    ]);
    expect(hostsGranted(viewOf(hosts, [deploy()], { hosts: asked }))).toEqual(["b"]);
    const gate = gateOf({}, {}, {}, { a: { hold: true, who: "ana", why: "", since } });
    expect(hostsGranted(viewOf(hosts, [deploy()], { gate }))).toEqual([]);
    expect(hostsGranted(viewOf(hosts, [within({ max: 2 })], { gate }))).toEqual(["b"]);
  });
});
