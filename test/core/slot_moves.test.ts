import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ConductedService } from "../../src/core/conducted.ts";
import type { GateMove } from "../../src/core/gate.ts";
import { slotMoves } from "../../src/core/slot_moves.ts";
import { hostStepSchema, type Failure, type HostRecord, type HostStatus, type Slot } from "../../src/schema/znodes.ts";
import { deploy, failure, gateOf, now, readable, served, since, slot, status, told, viewOf } from "./conducted_view.ts";

const nobody: ReadonlySet<string> = new Set();
const longAway = { alive: nobody, missingSince: new Map([["a", 900]]) };
const lostFailure = failure({ healthy: false, reason: "lost while it held a slot", since: now.toISOString() });

/** What becomes of host a, which holds a slot. */
function held(said: HostStatus | null, rest: Partial<ConductedService> = {}, holds: Partial<Slot> = {}): GateMove[] {
  return slotMoves(viewOf({ a: said }, [deploy()], { gate: gateOf({ a: slot(holds) }), ...rest }));
}

/** What becomes of host a, which holds no slot and has failed. */
function failed(said: HostStatus | null, rest: Partial<ConductedService> = {}, has: Partial<Failure> = {}): GateMove[] {
  return slotMoves(viewOf({ a: said }, [deploy()], { gate: gateOf({}, { a: failure(has) }), ...rest }));
}

const unlocked = (attempt: number, id = "d1"): Pick<ConductedService, "hosts"> => ({
  hosts: new Map<string, HostRecord>([
    ["a", { role: "fleet", unlocked: { deploy: id, attempt, who: "ana", time: since } }],
  ]),
});

describe("a host that holds a slot", () => {
  const reclaim: GateMove[] = [{ kind: "reclaim", host: "a" }];
  const expected: Partial<Record<HostStatus["step"], GateMove[]>> = {
    ready: [],
    serving: [{ kind: "release", host: "a", healthy: true }],
  };

  test.each(hostStepSchema.options)("and has not begun, and is at %s: it keeps only what it waits for", (step) => {
    expect(held(status({ step }))).toEqual(expected[step] ?? reclaim);
  });

  test.each(hostStepSchema.options)(
    "and is gone without having begun, at %s: the slot is taken back at once",
    (step) => {
      const waits = step === "serving" ? expected.serving : reclaim;
      expect(held(status({ step }), { alive: nobody })).toEqual(waits ?? []);
    },
  );

  test.each(hostStepSchema.options)("and has begun, and is at %s: it keeps the slot while it is there", (step) => {
    expect(held(status({ step, begun: true }))).toEqual([]);
    expect(held(status({ step, begun: true, health: "unhealthy" }))).toEqual([]);
    expect(held(status({ step, begun: true, health: "nothing", build: null }))).toEqual([]);
  });

  test.each(hostStepSchema.options)("and has begun, and is gone at %s: it is lost when its time is up", (step) => {
    const said = status({ step, begun: true });
    const away = (missingSince: number) => ({ alive: nobody, missingSince: new Map([["a", missingSince]]) });
    expect(held(said, { alive: nobody })).toEqual([]);
    expect(held(said, away(901))).toEqual([]);
    expect(held(said, away(900))).toEqual([{ kind: "lose", host: "a", failure: lostFailure }]);
  });

  test("and whose attempt is another one gives it back, whatever it says besides, unless it has begun", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...hostStepSchema.options),
        fc.boolean(),
        fc.boolean(),
        fc.constantFrom(0, 2, 9),
        (step, begun, isAlive, attempt) => {
          const rest = isAlive ? {} : longAway;
          const atWork: GateMove[] = isAlive ? [] : [{ kind: "lose", host: "a", failure: lostFailure }];
          expect(held(status({ step, begun, attempt }), rest)).toEqual(begun ? atWork : reclaim);
        },
      ),
    );
  });

  test("says whether it is healthy when it gives the slot back", () => {
    expect(held({ ...served, health: "unhealthy" })).toEqual([{ kind: "release", host: "a", healthy: false }]);
    expect(held({ ...served, health: "nothing" })).toEqual([{ kind: "release", host: "a", healthy: true }]);
  });

  test.each<[string, Partial<HostStatus>]>([
    ["goes back", { step: "restart", begun: true, rollingBack: true }],
    ["is back", { step: "failed" }],
    ["says so under a step that it has not left", { step: "check", begun: true }],
  ])("and says that it failed while it %s: the slot becomes that failure", (_what, changes) => {
    const healthy = changes.begun !== true;
    const said = status({ ...changes, failure: told({ healthy }) });
    const move = { kind: "fail", host: "a", failure: failure({ healthy }) };
    expect(held(said)).toMatchObject([move]);
    expect(held(said, longAway)).toMatchObject([move]);
  });

  test("and failed before under another attempt or another deploy goes on", () => {
    expect(held(status({ begun: true, attempt: 2, failure: told({ attempt: 1 }) }), {}, { attempt: 2 })).toEqual([]);
    expect(held(status({ begun: true, failure: told({ deploy: "d0" }) }))).toEqual([]);
  });

  test("fails in the round of the deploy, and what a newer agent says beside it stays with the agent", () => {
    const said = status({ step: "failed", failure: told({ future: 1, round: 7 }) });
    const gate = gateOf({ a: slot() });
    const [move] = slotMoves(viewOf({ a: said }, [deploy({ round: 3 })], { gate }));
    expect(move).toEqual({ kind: "fail", host: "a", failure: failure({ round: 3 }) });
  });

  test("of which the status cannot be read keeps it, dead or alive", () => {
    const unreadable = { ...readable, statuses: new Set(["a"]) };
    expect(held(null, { unreadable })).toEqual([]);
    expect(held(null, { unreadable, ...longAway })).toEqual([]);
  });

  test("of which there is no status keeps it while it is there, and is lost when it is gone", () => {
    expect(held(null)).toEqual([]);
    expect(held(null, { alive: nobody })).toEqual([]);
    expect(held(null, longAway)).toEqual([{ kind: "lose", host: "a", failure: lostFailure }]);
  });

  test.each<[string, Parameters<typeof deploy>[0]]>([
    ["is halted", { state: "halted", reason: "" }],
    ["is aborted", { state: "aborted", reason: "" }],
    ["wants another build now", { state: "rolling back" }],
  ])("of a deploy that %s loses it, unless it has begun", (_what, record) => {
    const moves = (said: HostStatus) =>
      slotMoves(viewOf({ a: said }, [deploy(record)], { gate: gateOf({ a: slot() }) }));
    expect(moves(status())).toEqual(reclaim);
    expect(moves(status({ step: "begun", begun: true }))).toEqual([]);
  });

  test("of a deploy that does not exist loses it, of one that cannot be read it does not", () => {
    const gate = gateOf({ a: slot({ deploy: "d0" }) });
    const unreadable = { ...readable, deploys: new Set(["d0"]) };
    expect(slotMoves(viewOf({ a: status() }, [deploy()], { gate }))).toEqual(reclaim);
    expect(slotMoves(viewOf({ a: status() }, [deploy()], { gate, unreadable }))).toEqual([]);
  });

  test("that was granted because the host was out loses it when the host is healthy before it begins", () => {
    expect(held(status({ health: "unhealthy" }), {}, { wasOut: true })).toEqual([]);
    expect(held(status({ health: "nothing" }), {}, { wasOut: true })).toEqual([]);
    expect(held(status(), {}, { wasOut: true })).toEqual(reclaim);
    expect(held(status({ begun: true }), {}, { wasOut: true })).toEqual([]);
  });

  test("and is unlocked for that attempt gives its capacity back, and stays in the budget", () => {
    const given = { ...lostFailure, healthy: true };
    for (const said of [status({ begun: true }), status({ attempt: 2 })]) {
      expect(held(said, unlocked(1))).toEqual([{ kind: "fail", host: "a", failure: given }]);
      // Whoever is not there must be shown not to be there.
      expect(held(said, { ...unlocked(1), alive: nobody })).toEqual([{ kind: "lose", host: "a", failure: given }]);
    }
    expect(held(null, { ...unlocked(1), alive: nobody })).toEqual([{ kind: "lose", host: "a", failure: given }]);
  });

  test("and was unlocked for another attempt, or under another deploy, keeps it", () => {
    expect(held(status({ begun: true }), unlocked(0))).toEqual([]);
    expect(held(status({ begun: true }), unlocked(1, "d0"))).toEqual([]);
  });

  test("and is not one of the service any more gives its capacity back once its agent is gone, and stays in the budget", () => {
    const hosts = new Map<string, HostRecord>();
    const given = { ...lostFailure, healthy: true };
    const unreadable = { ...readable, hosts: new Set(["a"]) };
    for (const said of [status({ begun: true }), null])
      expect(held(said, { hosts, alive: nobody })).toEqual([{ kind: "lose", host: "a", failure: given }]);
    expect(held(status({ begun: true }), { hosts })).toEqual([]);
    // Where nobody knows its role it is one of the service.
    expect(held(status({ begun: true }), { hosts, unreadable, alive: nobody })).toEqual([]);
  });

  test("and has failed before is not healed by the failure's own rules", () => {
    const gate = gateOf({ a: slot({ attempt: 2 }) }, { a: failure({ healthy: false }) });
    expect(slotMoves(viewOf({ a: status({ attempt: 2 }) }, [deploy()], { gate }))).toEqual([]);
  });
});

describe("a host that says that it failed", () => {
  const said = status({ step: "failed", failure: told() });
  const counts: GateMove[] = [{ kind: "fail", host: "a", failure: failure() }];

  test("without a slot, in PREPARE, is counted once", () => {
    expect(slotMoves(viewOf({ a: said }))).toEqual(counts);
    expect(slotMoves(viewOf({ a: said }, [deploy()], { gate: gateOf({}, { a: failure() }) }))).toEqual([]);
  });

  test("under a later attempt or another deploy than is known is counted again, under an earlier one it is not", () => {
    const known = (has: Partial<Failure>) =>
      slotMoves(viewOf({ a: said }, [deploy()], { gate: gateOf({}, { a: failure(has) }) }));
    expect(known({ attempt: 0 })).toEqual(counts);
    expect(known({ deploy: "d0", attempt: 9 })).toEqual(counts);
    expect(known({ attempt: 2 })).toEqual([]);
  });

  test("counts while its agent is gone, and while it is granted nothing", () => {
    expect(slotMoves(viewOf({ a: said }, [deploy()], { alive: nobody }))).toEqual(counts);
  });

  test.each<[string, boolean, HostStatus]>([
    ["and still follows it", true, said],
    ["and follows a newer one", false, { ...said, wish: { build: "v3", deploy: "d2" } }],
    ["and follows none", false, { ...said, wish: null }],
  ])("under a deploy that has ended, %s: it is counted: %p", (_what, isCounted, each) => {
    const ended = deploy({ state: "halted", reason: "" });
    expect(slotMoves(viewOf({ a: each }, [ended]))).toEqual(isCounted ? counts : []);
  });

  test("under a deploy that runs is counted whatever it follows by now", () => {
    expect(slotMoves(viewOf({ a: { ...said, wish: { build: "v3", deploy: "d2" } } }))).toEqual(counts);
  });

  test("under a deploy that nobody knows is not counted", () => {
    expect(slotMoves(viewOf({ a: { ...said, failure: told({ deploy: "d0" }) } }))).toEqual([]);
  });

  test("and is none of the service's is not counted", () => {
    const given = { ...viewOf({ a: said }), hosts: new Map<string, HostRecord>() };
    expect(slotMoves(given)).toEqual([]);
    expect(slotMoves({ ...given, unreadable: { ...readable, hosts: new Set(["a"]) } })).toEqual(counts);
  });

  test("while its failure cannot be read is left alone", () => {
    expect(slotMoves(viewOf({ a: said }, [deploy()], { gate: gateOf({}, {}, { failed: ["a"] }) }))).toEqual([]);
  });

  test("and is on record as unhealthy under an earlier attempt is counted, not healed", () => {
    const gate = gateOf({}, { a: failure({ attempt: 0, healthy: false }) });
    expect(slotMoves(viewOf({ a: said }, [deploy()], { gate }))).toEqual(counts);
  });
});

describe("a host that failed and was left ill", () => {
  const ill = { healthy: false };
  const heal: GateMove[] = [{ kind: "heal", host: "a" }];

  test.each<[string, boolean, Partial<HostStatus>]>([
    ["serves and is healthy", true, { step: "serving" }],
    ["gave up and is healthy", true, { step: "failed" }],
    ["is still at work", false, { step: "check" }],
    ["has begun and not ended, whatever its step", false, { step: "failed", begun: true }],
    ["waits for its next slot under the same attempt", false, { step: "ready" }],
    ["serves and is unhealthy", false, { step: "serving", health: "unhealthy" }],
    ["serves nothing", false, { step: "serving", health: "nothing" }],
    ["says under a later number that it is well", true, { step: "fetch", attempt: 2 }],
    ["is at work under a later number", false, { step: "restart", attempt: 2, begun: true }],
    ["says under a later number that it is not well", false, { attempt: 2, health: "unhealthy" }],
  ])("%s: it is counted on again: %p", (_what, heals, changes) => {
    expect(failed(status(changes), {}, ill)).toEqual(heals ? heal : []);
  });

  test("is not healed by what it said before it went away", () => {
    expect(failed(status({ step: "serving" }), { alive: nobody }, ill)).toEqual([]);
    expect(failed(null, {}, ill)).toEqual([]);
  });

  test("is healed by a person's word about that attempt, dead or alive", () => {
    const sick = status({ step: "failed", health: "unhealthy" });
    expect(failed(sick, unlocked(1), ill)).toEqual(heal);
    expect(failed(sick, { ...unlocked(1), alive: nobody }, ill)).toEqual(heal);
    expect(failed(null, { ...unlocked(1), alive: nobody }, ill)).toEqual(heal);
    expect(failed(sick, unlocked(0), ill)).toEqual([]);
    expect(failed(sick, unlocked(1, "d0"), ill)).toEqual([]);
  });

  test("and is forgotten gives its capacity back once its agent is gone, and stays in the budget", () => {
    const hosts = new Map<string, HostRecord>();
    expect(failed(null, { hosts, alive: nobody }, ill)).toEqual([{ kind: "heal", host: "a" }]);
    expect(failed(null, { hosts, alive: nobody }, { ...ill, healthy: true })).toEqual([]);
    expect(failed(null, { hosts }, ill)).toEqual([]);
  });

  test("keeps its place while its deploy is not known", () => {
    expect(failed(null, {}, { ...ill, deploy: "d0" })).toEqual([]);
  });
});

describe("a failure of a host that is well", () => {
  test("goes with its deploy, unless nobody knows whether that is gone", () => {
    expect(failed(served)).toEqual([]);
    const gone = { deploy: "d0" };
    expect(failed(served, {}, gone)).toEqual([{ kind: "clear", host: "a" }]);
    expect(failed(served, { unreadable: { ...readable, deploys: new Set(["d0"]) } }, gone)).toEqual([]);
    expect(failed(served, { unreadable: { ...readable, wishes: true } }, gone)).toEqual([]);
  });
});

describe("a slot that cannot be read", () => {
  const of = (said: HostStatus | null, rest: Partial<ConductedService> = {}) =>
    slotMoves(viewOf({ a: said }, [deploy()], { gate: gateOf({}, {}, { slots: ["a"] }), ...rest }));

  test.each(hostStepSchema.options)("is taken away once its host has begun nothing by it, at %s", (step) => {
    expect(of(status({ step }))).toEqual([{ kind: "reclaim", host: "a" }]);
    expect(of(status({ step, begun: true }))).toEqual([]);
    expect(of(status({ step, begun: true, failure: told({ healthy: false }) }))).toEqual([]);
  });

  test("stays while nobody knows what its host does, however long it is away", () => {
    expect(of(null)).toEqual([]);
    expect(of(status(), longAway)).toEqual([]);
    expect(of(status({ begun: true }), longAway)).toEqual([]);
    expect(of(null, { unreadable: { ...readable, statuses: new Set(["a"]) } })).toEqual([]);
  });

  test("goes with its host", () => {
    const hosts = new Map<string, HostRecord>();
    expect(of(status({ begun: true }), { hosts, alive: nobody })).toEqual([{ kind: "clear", host: "a" }]);
    expect(of(null, { hosts, alive: nobody })).toEqual([{ kind: "clear", host: "a" }]);
    expect(of(null, { hosts })).toEqual([]);
  });

  test("is left alone in a round that leaves its host out", () => {
    expect(of(status(), { leftOut: new Set(["a"]) })).toEqual([]);
  });
});

describe("a failure that cannot be read", () => {
  const of = (said: HostStatus | null, rest: Partial<ConductedService> = {}, holds: Record<string, Slot> = {}) =>
    slotMoves(viewOf({ a: said }, [deploy()], { gate: gateOf(holds, {}, { failed: ["a"] }), ...rest }));
  const clear: GateMove[] = [{ kind: "clear", host: "a" }];

  test("goes when its host serves and is well", () => {
    expect(of(served)).toEqual(clear);
    expect(of(status({ step: "serving" }))).toEqual(clear);
  });

  test.each<[string, HostStatus | null, Partial<ConductedService>]>([
    ["is not well", { ...served, health: "unhealthy" }, {}],
    ["does not serve", status(), {}],
    ["has gone back and told of it", status({ step: "failed", failure: told() }), {}],
    ["is at work", { ...served, begun: true }, {}],
    ["is away", served, longAway],
    ["says nothing", null, {}],
  ])("stays while its host %s", (_what, said, rest) => {
    expect(of(said, rest)).toEqual([]);
  });

  test("is replaced by the next one, and stays while its host holds a slot", () => {
    const failing = status({ begun: true, failure: told({ healthy: false }) });
    expect(of(failing, {}, { a: slot() })).toEqual([{ kind: "fail", host: "a", failure: failure({ healthy: false }) }]);
    expect(of(served, {}, { a: slot() })).toEqual([{ kind: "release", host: "a", healthy: true }]);
  });

  test("goes with its host", () => {
    expect(of(null, { hosts: new Map(), alive: nobody })).toEqual(clear);
  });
});

test("a host of which a change was just refused is left alone for this round, and the others are not", () => {
  const gate = gateOf({ a: slot(), b: slot() }, { x: failure({ healthy: false }), y: failure({ healthy: false }) });
  const hosts = { a: served, b: served, f: status({ step: "failed", failure: told() }), x: served, y: served };
  const all = slotMoves(viewOf(hosts, [deploy()], { gate })).map(({ kind, host }) => `${kind} ${host}`);
  expect(all).toEqual(["release a", "release b", "fail f", "heal x", "heal y"]);
  const leftOut = new Set(["a", "f", "x"]);
  const some = slotMoves(viewOf(hosts, [deploy()], { gate, leftOut })).map(({ kind, host }) => `${kind} ${host}`);
  expect(some).toEqual(["release b", "heal y"]);
});

test("where the gate is missing nothing is moved", () => {
  expect(slotMoves(viewOf({ a: status({ step: "failed", failure: told() }) }, [deploy()], { gate: null }))).toEqual([]);
});

/** Everything that a host can say of itself about attempt 1 or 2, and be. */
const anyHost = fc.record({
  step: fc.constantFrom(...hostStepSchema.options),
  begun: fc.boolean(),
  health: fc.constantFrom("healthy", "unhealthy", "nothing"),
  attempt: fc.constantFrom(1, 2),
  fails: fc.constantFrom(null, 1, 2),
  isAlive: fc.boolean(),
  isMissedFor: fc.constantFrom(0, 99, 100, 500),
  slot: fc.constantFrom(null, 1, 2),
  failure: fc.constantFrom(null, 1, 2),
  isUnlocked: fc.boolean(),
  isForgotten: fc.constantFrom(false, false, false, true),
  unreadable: fc.constantFrom<readonly ("slots" | "failed")[]>([], [], [], ["slots"], ["failed"], ["slots", "failed"]),
});
type AnyHost = typeof anyHost extends fc.Arbitrary<infer T> ? T : never;

function viewWith(hosts: readonly AnyHost[]): ConductedService {
  const named = hosts.map((host, index) => ({ ...host, name: `h${index}` }));
  const statuses = named.map(({ name, step, begun, health, attempt, fails }) => {
    const failure = fails === null ? null : told({ attempt: fails, healthy: !begun });
    return [name, status({ step, begun, health, attempt, failure })] as const;
  });
  const unreadable = (kind: "slots" | "failed") =>
    named.filter((host) => host.unreadable.includes(kind)).map(({ name }) => name);
  const slots = named.flatMap((host) =>
    host.slot === null || host.unreadable.includes("slots") ? [] : [[host.name, slot({ attempt: host.slot })] as const],
  );
  const ills = named.flatMap((host) =>
    host.failure === null || host.unreadable.includes("failed")
      ? []
      : [[host.name, failure({ attempt: host.failure, healthy: false })] as const],
  );
  return viewOf(Object.fromEntries(statuses), [deploy()], {
    gate: gateOf(Object.fromEntries(slots), Object.fromEntries(ills), {
      slots: unreadable("slots"),
      failed: unreadable("failed"),
    }),
    alive: new Set(named.flatMap(({ name, isAlive }) => (isAlive ? [name] : []))),
    missingSince: new Map(
      named.flatMap(({ name, isAlive, isMissedFor }) => (isAlive ? [] : [[name, 1_000 - isMissedFor] as const])),
    ),
    hosts: new Map(
      named.flatMap(({ name, isUnlocked, isForgotten }): [string, HostRecord][] => {
        if (isForgotten) return [];
        const given = { deploy: "d1", attempt: 1, who: "ana", time: since };
        return [[name, isUnlocked ? { role: "fleet", unlocked: given } : { role: "fleet" }]];
      }),
    ),
  });
}

test("whatever hosts say, the slot of one that has begun by it is freed by its own word or a person's alone", () => {
  fc.assert(
    fc.property(fc.array(anyHost, { minLength: 1, maxLength: 4 }), (hosts) => {
      const view = viewWith(hosts);
      for (const move of slotMoves(view)) {
        const host = hosts[Number(move.host.slice(1))];
        if (host === undefined || !host.begun) continue;
        const isUnreadable = host.unreadable.includes("slots");
        if (!isUnreadable && (host.slot === null || host.attempt !== host.slot)) continue;
        if (move.kind === "clear") expect([host.isForgotten, host.isAlive]).toEqual([true, false]);
        else if (!isUnreadable && (move.kind === "lose" || move.kind === "fail")) {
          const isTold = host.fails === host.slot;
          const isGone = host.isForgotten && !host.isAlive;
          const isGiven = host.isUnlocked && !host.isForgotten && host.slot === 1;
          expect(move.failure.healthy).toBe(isGone || (isGiven && !isTold));
          if (!isTold && !isGiven && !isGone) expect([host.isAlive, host.isMissedFor >= 100]).toEqual([false, true]);
        } else if (move.kind !== "heal") throw new Error(`its slot was freed by ${move.kind}`);
      }
    }),
    { numRuns: 1_000 },
  );
});

test("whatever hosts say, each is moved at most once, and what is decided of one does not depend on the others", () => {
  fc.assert(
    fc.property(fc.array(anyHost, { minLength: 1, maxLength: 4 }), (hosts) => {
      const moves = slotMoves(viewWith(hosts));
      expect(new Set(moves.map(({ host }) => host)).size).toBe(moves.length);
      const alone = hosts.flatMap((host, index) =>
        slotMoves(viewWith([host])).map((move) => ({ ...move, host: `h${index}` })),
      );
      const byHost = (a: GateMove, b: GateMove) => (a.host < b.host ? -1 : 1);
      expect(moves.toSorted(byHost)).toEqual(alone.toSorted(byHost));
    }),
    { numRuns: 500 },
  );
});
