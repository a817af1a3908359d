import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ConductedDeploy, ConductedService } from "../../src/core/conducted.ts";
import { grants, grantsWithheld } from "../../src/core/grants.ts";
import type { DeployState } from "../../src/schema/deploy_record.ts";
import type { HostRecord, HostStatus } from "../../src/schema/znodes.ts";
import { deploy, failure, gateOf, now, readable, served, slot, status, viewOf } from "./conducted_view.ts";

const nobody: ReadonlySet<string> = new Set();
const limits = (max: number, budget = 0) => ({ max, budget, soakMs: 0 });
const hostsGranted = (given: ConductedService, halting: ReadonlySet<string> = nobody) =>
  grants(given, halting).map(({ host }) => host);

describe("who is granted a slot", () => {
  test("as many hosts as may be out, canaries first, then by name", () => {
    const hosts = { b: status(), a: status(), c1: status(), d: status() };
    expect(hostsGranted(viewOf(hosts, [deploy({ limits: limits(2) })]))).toEqual(["c1", "a"]);
  });

  test("on the way back those that changed last begin", () => {
    const wish = { build: "v1", deploy: "d1" };
    const hosts = {
      a: status({ wish, servedSince: "2026-01-01T00:00:01.000Z" }),
      b: status({ wish, servedSince: "2026-01-01T00:00:03.000Z" }),
    };
    const given = viewOf(hosts, [deploy({ state: "rolling back" })], { wishes: { enabled: wish, canary: null } });
    expect(grants(given, nobody)).toMatchObject([{ host: "b", slot: { build: "v1" } }]);
  });

  test.each<[string, Partial<HostStatus> | null]>([
    ["has said nothing yet", null],
    ["is still preparing", { step: "install" }],
    ["has begun already", { begun: true }],
    ["is prepared for an older wish", { wish: { build: "v1", deploy: "d0" } }],
    ["is prepared for what this deploy wished before it was turned round", { wish: { build: "v1", deploy: "d1" } }],
    ["follows nothing", { wish: null }],
  ])("not a host that %s", (_what, changes) => {
    expect(hostsGranted(viewOf({ a: changes === null ? null : status(changes) }))).toEqual([]);
  });

  test("not a host whose agent is away", () => {
    expect(hostsGranted(viewOf({ a: status() }, [deploy()], { alive: nobody }))).toEqual([]);
  });

  test("not a host of which a change was just refused, but another in its place", () => {
    const leftOut = new Set(["a"]);
    expect(hostsGranted(viewOf({ a: status(), b: status() }, [deploy()], { leftOut }))).toEqual(["b"]);
  });

  test("not a host that holds a slot already, under whatever attempt", () => {
    const gate = gateOf({ a: slot({ attempt: 9 }) });
    expect(hostsGranted(viewOf({ a: status() }, [deploy({ limits: limits(5) })], { gate }))).toEqual([]);
  });

  test.each<[DeployState, boolean]>([
    ["preparing", true],
    ["canary", true],
    ["awaiting promotion", true],
    ["rolling", true],
    ["done", true],
    ["rolled back", true],
    ["halted", false],
    ["aborted", false],
  ])("by a deploy that is %s: %p", (state, isGranted) => {
    expect(hostsGranted(viewOf({ a: status() }, [deploy({ state })])).length > 0).toBe(isGranted);
  });

  test("nobody by a deploy that is halted in the same round", () => {
    expect(hostsGranted(viewOf({ a: status() }), new Set(["d1"]))).toEqual([]);
    expect(hostsGranted(viewOf({ a: status() }), new Set(["d2"]))).toEqual(["a"]);
  });

  test("nobody by a deploy that is over its budget, in whatever state", () => {
    const gate = gateOf({}, { b: failure() });
    for (const state of ["rolling", "done"] as const) {
      expect(hostsGranted(viewOf({ a: status(), b: status() }, [deploy({ state })], { gate }))).toEqual([]);
    }
  });

  test("failures of an earlier round leave the budget to the others, and keep their share of max", () => {
    const hosts = { a: status(), b: status(), x: null };
    const granted = (round: number) =>
      hostsGranted(
        viewOf(hosts, [deploy({ limits: limits(2), round })], { gate: gateOf({}, { x: failure({ healthy: false }) }) }),
      );
    expect(granted(1)).toEqual([]);
    expect(granted(2)).toEqual(["a"]);
  });
});

test("a slot names what allows it: the deploy, its record's version, the attempt, the build and the zone", () => {
  const zoned = new Map<string, HostRecord>([["a", { role: "fleet", zone: "z1" }]]);
  const given = viewOf({ a: status({ attempt: 7 }) }, [deploy()], { hosts: zoned });
  expect(grants(given, nobody)).toEqual([
    {
      kind: "grant",
      host: "a",
      slot: { deploy: "d1", attempt: 7, build: "v2", zone: "z1", since: now.toISOString(), record: 3 },
    },
  ]);
  const [grant] = grants(viewOf({ a: status() }), nobody);
  expect(grant?.slot).not.toHaveProperty("zone");
  expect(grant?.slot).not.toHaveProperty("wasOut");
});

describe("what takes the place of a grant", () => {
  test.each<[string, Partial<ConductedService>, ConductedDeploy[]]>([
    ["a slot", { gate: gateOf({ x: slot() }) }, [deploy()]],
    ["a slot of a host that is none of the service's", { gate: gateOf({ y: slot() }) }, [deploy()]],
    [
      "a slot of another deploy",
      { gate: gateOf({ x: slot({ deploy: "d0" }) }) },
      [deploy(), deploy({ id: "d0", state: "done" })],
    ],
    ["a slot of a deploy that nobody knows", { gate: gateOf({ x: slot({ deploy: "d9" }) }) }, [deploy()]],
    [
      "a failure that is not healed",
      { gate: gateOf({}, { x: failure({ healthy: false }) }) },
      [deploy({ limits: limits(1, 5) })],
    ],
    [
      "a failure under another deploy that is not healed",
      { gate: gateOf({}, { x: failure({ healthy: false, deploy: "d0" }) }) },
      [deploy()],
    ],
    ["a slot that cannot be read", { gate: gateOf({}, {}, { slots: ["x"] }) }, [deploy()]],
    ["a failure that cannot be read", { gate: gateOf({}, {}, { failed: ["x"] }) }, [deploy()]],
    [
      "a slot that cannot be read of a host that is none of the service's",
      { gate: gateOf({}, {}, { slots: ["y"] }) },
      [deploy()],
    ],
  ])("%s", (_what, rest, deploys) => {
    const hosts = { a: status(), x: status({ step: "fetch" }) };
    expect(hostsGranted(viewOf(hosts, deploys))).toEqual(["a"]);
    expect(hostsGranted(viewOf(hosts, deploys, rest))).toEqual([]);
  });

  test.each<[string, HostStatus]>([
    ["is unhealthy", status({ health: "unhealthy", step: "serving" })],
    ["has begun, and whose slot somebody has deleted", status({ begun: true, step: "restart" })],
  ])("a host that %s, while it is there and belongs to the service", (_what, said) => {
    const hosts = { a: status(), x: said };
    expect(hostsGranted(viewOf(hosts))).toEqual([]);
    // A host that cannot be reached must not hold up the others.
    expect(hostsGranted(viewOf(hosts, [deploy()], { alive: new Set(["a"]) }))).toEqual(["a"]);
    const fleet: HostRecord = { role: "fleet" };
    expect(hostsGranted(viewOf(hosts, [deploy()], { hosts: new Map([["a", fleet]]) }))).toEqual(["a"]);
  });

  test("a host whose status cannot be read", () => {
    const unreadable = { ...readable, statuses: new Set(["x"]) };
    const hosts = { a: status(), x: null };
    expect(hostsGranted(viewOf(hosts, [deploy()], { unreadable }))).toEqual([]);
    expect(hostsGranted(viewOf(hosts, [deploy()], { unreadable, alive: new Set(["a"]) }))).toEqual(["a"]);
    // One that nobody has registered is no part of the service.
    expect(hostsGranted(viewOf({ a: status() }, [deploy()], { unreadable, alive: new Set(["a", "x"]) }))).toEqual([
      "a",
    ]);
  });

  test("a host whose role cannot be read, with what it holds and with what it says; itself it is granted nothing", () => {
    const unreadable = { ...readable, hosts: new Set(["x"]) };
    const gate = gateOf({}, { x: failure({ healthy: false }) });
    const given = viewOf({ a: status() }, [deploy({ limits: limits(1, 5) })], { gate });
    expect(hostsGranted(given)).toEqual(["a"]);
    expect(hostsGranted({ ...given, unreadable })).toEqual([]);
    const all = viewOf({ a: status({ step: "fetch" }), x: status() }, [deploy()], { unreadable });
    expect(hostsGranted({ ...all, hosts: new Map([["a", { role: "fleet" }]]) })).toEqual([]);
    const said = new Map([
      ["a", status()],
      ["x", status({ health: "unhealthy" })],
    ]);
    const rest = { unreadable, status: said, alive: new Set(["a", "x"]) };
    expect(hostsGranted(viewOf({ a: status() }, [deploy()], rest))).toEqual([]);
  });
});

describe("a host that is out of service already", () => {
  const sick = status({ health: "unhealthy" });

  test("takes nobody's place but its own", () => {
    expect(hostsGranted(viewOf({ a: status(), x: sick }))).toEqual(["x"]);
    expect(hostsGranted(viewOf({ x: sick }))).toEqual(["x"]);
  });

  test("can be healed, one after the other", () => {
    expect(hostsGranted(viewOf({ a: sick, b: sick, x: sick }))).toEqual(["a"]);
    expect(hostsGranted(viewOf({ a: sick, b: sick, x: sick }, [deploy({ limits: limits(2) })]))).toEqual(["a", "b"]);
  });

  test("is granted its slot beyond max, which says so, and within max, which does not", () => {
    expect(grants(viewOf({ a: sick, b: sick }), nobody)).toMatchObject([{ host: "a", slot: { wasOut: true } }]);
    const [alone] = grants(viewOf({ a: sick }), nobody);
    expect(alone?.slot).not.toHaveProperty("wasOut");
  });

  test("and says that it is well by now is granted none beyond max, which would be taken back at once", () => {
    const failed = failure({ deploy: "d0", attempt: 0, healthy: false });
    const given = viewOf({ a: status(), x: sick }, [deploy()], { gate: gateOf({}, { a: failed }) });
    expect(hostsGranted(given)).toEqual(["x"]);
  });

  test("because it serves nothing yet is granted one beyond max as well", () => {
    const fresh = status({ build: null, health: "nothing" });
    const given = viewOf({ a: fresh, x: status({ health: "unhealthy", step: "serving" }) });
    expect(grants(given, nobody)).toMatchObject([{ host: "a", slot: { wasOut: true } }]);
  });

  test("waits while another holds a slot", () => {
    const gate = gateOf({ x: slot() });
    expect(
      hostsGranted(viewOf({ a: sick, x: status({ step: "restart", begun: true }) }, [deploy()], { gate })),
    ).toEqual([]);
  });

  test("waits while a slot cannot be read, its own or another's", () => {
    for (const host of ["a", "x"])
      expect(hostsGranted(viewOf({ a: sick }, [deploy()], { gate: gateOf({}, {}, { slots: [host] }) }))).toEqual([]);
  });

  test("does not wait for a failure that cannot be read: that is no slot", () => {
    const gate = gateOf({}, {}, { failed: ["x"] });
    expect(grants(viewOf({ a: sick, x: null }, [deploy()], { gate }), nobody)).toMatchObject([
      { host: "a", slot: { wasOut: true } },
    ]);
  });
});

test.each<[string, Partial<ConductedService>, RegExp]>([
  ["the wish cannot be read", { unreadable: { ...readable, wishes: true } }, /while the wish cannot be read/],
  ["the gate is missing", { gate: null }, /while the gate of the service is missing/],
])("while %s nobody is granted anything, and it is said why", (_what, broken, why) => {
  const given = viewOf({ a: status(), b: status({ health: "unhealthy" }) });
  expect(hostsGranted(given)).toEqual(["b"]);
  expect(grantsWithheld(readable, true)).toBeNull();
  const worse = { ...given, ...broken };
  expect(hostsGranted(worse)).toEqual([]);
  expect(grantsWithheld(worse.unreadable, worse.gate !== null)).toMatch(why);
});

test("a deploy that cannot be read holds up nobody but its own hosts: who holds a slot of it is counted all the same", () => {
  const unreadable = { ...readable, deploys: new Set(["d0"]) };
  expect(hostsGranted(viewOf({ a: status() }, [deploy()], { unreadable }))).toEqual(["a"]);
  const gate = gateOf({ x: slot({ deploy: "d0" }) });
  expect(hostsGranted(viewOf({ a: status(), x: null }, [deploy()], { unreadable, gate }))).toEqual([]);
  const elsewhere = { enabled: { build: "v2", deploy: "d0" }, canary: null };
  expect(hostsGranted(viewOf({ a: status() }, [deploy()], { unreadable, wishes: elsewhere }))).toEqual([]);
});

test("a build that was barred, or may have been, gets to no host that does not have it", () => {
  const hosts = { a: status(), b: status({ build: "v2", health: "unhealthy" }) };
  const done = viewOf(hosts, [deploy({ state: "done", limits: limits(2) })]);
  expect(hostsGranted(done)).toEqual(["a", "b"]);
  expect(hostsGranted({ ...done, barred: new Map([["v2", '"v2" was barred by eve']]) })).toEqual(["b"]);
  expect(hostsGranted({ ...done, unreadable: { ...readable, builds: new Set(["v2"]) } })).toEqual(["b"]);
});

const anyHost = fc.record({
  said: fc.constantFrom<HostStatus | null>(
    null,
    status(),
    status(),
    status(),
    status({ health: "unhealthy" }),
    status({ build: null, health: "nothing" }),
    status({ step: "restart", begun: true }),
    status({ step: "fetch" }),
    served,
  ),
  isAlive: fc.constantFrom(true, true, true, false),
  holds: fc.constantFrom(
    "nothing",
    "nothing",
    "nothing",
    "nothing",
    "nothing",
    "slot",
    "failure",
    "unreadable",
    "unreadable failure",
  ),
});

test("whatever hosts say, at most max are out by a grant, and slots beyond max go to those that are out already", () => {
  fc.assert(
    fc.property(fc.array(anyHost, { maxLength: 6 }), fc.integer({ min: 1, max: 4 }), (hosts, max) => {
      const named = hosts.map((host, index) => ({ ...host, name: `h${index}` }));
      const holding = (what: string) => named.filter(({ holds }) => holds === what).map(({ name }) => name);
      const gate = gateOf(
        Object.fromEntries(holding("slot").map((name) => [name, slot()])),
        Object.fromEntries(holding("failure").map((name) => [name, failure({ healthy: false, round: 9 })])),
        { slots: holding("unreadable"), failed: holding("unreadable failure") },
      );
      const view = viewOf(
        Object.fromEntries(named.map(({ name, said }) => [name, said])),
        [deploy({ limits: limits(max) })],
        { gate, alive: new Set(named.flatMap(({ name, isAlive }) => (isAlive ? [name] : []))) },
      );
      const given = grants(view, nobody);
      const taken = new Set([...holding("slot"), ...holding("unreadable")]);
      const out = new Set([...taken, ...holding("failure"), ...holding("unreadable failure")]);
      for (const { name, said, isAlive } of named) {
        if (isAlive && (said?.health === "unhealthy" || said?.begun === true)) out.add(name);
      }
      const within = given.filter((grant) => grant.slot.wasOut !== true).map(({ host }) => host);
      for (const { host, slot: granted } of given) {
        expect(taken.has(host)).toBe(false);
        if (granted.wasOut === true) expect(out.has(host) || view.status.get(host)?.health === "nothing").toBe(true);
      }
      // No slot takes a host out of service that would be one too many.
      const newlyOut = within.filter((host) => !out.has(host));
      if (newlyOut.length > 0) expect(out.size + newlyOut.length).toBeLessThanOrEqual(max);
      if (given.length > 0) expect(taken.size + given.length).toBeLessThanOrEqual(max);
    }),
    { numRuns: 1_000 },
  );
});
