import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { GateMove } from "../../src/core/gate.ts";
import type { DeployStep, Round } from "../../src/core/rollout.ts";
import type { HostStatus } from "../../src/schema/znodes.ts";
import { barBuild } from "../../src/store/bar.ts";
import { abort } from "../../src/store/change_deploy.ts";
import { carryOut, type RoundOutcome } from "../../src/store/carry_out.ts";
import { agentPath, canaryPath, deployPath, failurePath, slotPath, statusPath } from "../../src/store/paths.ts";
import { encode } from "../../src/store/records.ts";
import { rollBack } from "../../src/store/roll_back.ts";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper, type Op } from "../../src/zookeeper/client.ts";
import { servers } from "./servers.ts";
import { failureOf, NOW, Site, slotOf, statusOf } from "./site.ts";

/** A client that says which transactions it is asked for, before each of them. */
class Watched extends ZooKeeper {
  readonly multis: (readonly Op[])[] = [];
  before: (count: number) => Promise<void> = async () => {};

  override async multi(...[ops, options]: Parameters<ZooKeeper["multi"]>): ReturnType<ZooKeeper["multi"]> {
    await this.before(this.multis.length);
    this.multis.push(ops);
    return super.multi(ops, options);
  }
}

const onHosts = (kind: "release" | "heal" | "clear" | "reclaim", ...hosts: string[]): GateMove[] =>
  hosts.map((host) => (kind === "release" ? { kind, host, healthy: true } : { kind, host }));

const names = (count: number): string[] => Array.from({ length: count }, (_, at) => `h${at}`);

describe.each(servers)("with %s", (_name, start) => {
  let server: { connectString: string } & AsyncDisposable;
  let site: Site;
  let watched: Watched;
  let count = 0;

  beforeAll(async () => {
    server = await start();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    site = await Site.open(server.connectString, `/carry-${(count += 1)}`, { max: 2, budget: 0 });
    for (const host of ["a", "b", "c"]) await site.host(host);
    await site.deploy("d1", "v1");
    await site.state("d1", "rolling");
    watched = new Watched({ clock: systemClock, servers: site.connectString });
  });
  afterEach(async () => {
    await watched.close();
    await site[Symbol.asyncDispose]();
  });

  const grant = async (host: string, deploy = "d1", build = "v1"): Promise<GateMove> => ({
    kind: "grant",
    host,
    slot: slotOf({ deploy, build, record: (await site.zk.exists(deployPath("web", deploy)))?.version ?? -1 }),
  });
  const round = (...moves: GateMove[]): Round => ({ moves, steps: [] });
  const carry = async (zk: ZooKeeper, what: Round, basis = site.basis()): Promise<RoundOutcome> =>
    carryOut(zk, "web", what, await basis, NOW);
  const says = async (host: string, word: Partial<HostStatus>): Promise<void> => {
    await site.zk.set(statusPath("web", host), encode(statusOf(word)));
  };
  /** Many hosts with a slot, as a large fleet has them. */
  async function holders(count: number): Promise<string[]> {
    const hosts = names(count);
    await Promise.all(hosts.map((host) => site.host(host)));
    await site.moves(...hosts.map((host): GateMove => ({ kind: "grant", host, slot: slotOf({ record: 1 }) })));
    return hosts;
  }

  test("each change is written as it is decided, and the outcome is what anybody reads then", async () => {
    const lost = failureOf({ reason: "lost", healthy: false });
    await site.zk.delete(agentPath("b"));
    const rounds: [Round, object][] = [
      [round(await grant("a"), await grant("c")), { slots: ["a", "c"], failed: {} }],
      [round(...onHosts("release", "a"), ...onHosts("reclaim", "c")), { slots: [], failed: {} }],
      [round(await grant("c")), { slots: ["c"], failed: {} }],
      [
        round(
          { kind: "fail", host: "a", failure: failureOf({ healthy: false }) },
          { kind: "fail", host: "c", failure: failureOf() },
          { kind: "lose", host: "b", failure: lost },
        ),
        { slots: [], failed: { a: false, b: false, c: true } },
      ],
      [round(...onHosts("heal", "a")), { slots: [], failed: { a: true, b: false, c: true } }],
      // Who has failed and is granted a slot again, and is through with it, can be counted on again.
      [
        round({ kind: "fail", host: "a", failure: failureOf({ healthy: false, attempt: 2 }) }),
        { failed: { a: false } },
      ],
      [round(await grant("a")), { slots: ["a"], failed: { a: false } }],
      [round(...onHosts("release", "a")), { slots: [], failed: { a: true, b: false, c: true } }],
      [round(...onHosts("clear", "a", "b", "c")), { slots: [], failed: {} }],
    ];
    for (const [what, expected] of rounds) {
      const { gate, moved, refused } = await carry(site.zk, what);
      expect({ refused, moved }).toEqual({ refused: null, moved: what.moves.map(({ host }) => host) });
      expect(gate).toEqual(await site.gate());
      const { slots, failed } = gate.gate;
      const health = Object.fromEntries([...failed].map(([host, { healthy }]) => [host, healthy]));
      expect({ slots: [...slots.keys()].toSorted(), failed: health }).toMatchObject(expected);
    }
    expect((await site.gate()).moves).toBe(rounds.length);
    expect(await site.zk.exists(agentPath("b"))).toBeNull();
  });

  test.each([
    ["a slot", slotPath("web", "a"), "reclaim"],
    ["a failure", failurePath("web", "a"), "clear"],
  ] as const)("%s that cannot be read is taken away, and is told no more", async (_what, path, kind) => {
    await site.zk.create(path, "{");
    await site.zk.create(slotPath("web", "b"), "{");
    const { gate } = await carry(site.zk, round({ kind, host: "a" }));
    expect(await site.zk.exists(path)).toBeNull();
    expect(gate).toEqual(await site.gate());
    expect(gate.problems).toHaveLength(1);
    expect(JSON.stringify(gate.problems)).toContain(slotPath("web", "b"));
  });

  test("the outcome is good enough for the next round of whoever made it", async () => {
    const basis = await site.basis();
    const { gate } = await carry(site.zk, round(await grant("a")), Promise.resolve(basis));
    const after = await carry(site.zk, round(await grant("b")), Promise.resolve({ ...basis, gate }));
    expect(after.refused).toBeNull();
    expect(after.gate).toEqual(await site.gate());
  });

  test("a round in which there is nothing to do asks nothing of ZooKeeper", async () => {
    const { gate, refused } = await carry(watched, { moves: [], steps: [] });
    expect({ refused, multis: watched.multis }).toEqual({ refused: null, multis: [] });
    expect(gate.version).toBe(0);
  });

  test("of two conductors with the same view one is refused, and everything that it has decided with it", async () => {
    const basis = await site.basis();
    const [both, lone] = [round(await grant("a"), await grant("b")), round(await grant("c"))];
    const outcomes = await Promise.all([
      carry(site.zk, both, Promise.resolve(basis)),
      carry(site.other, lone, Promise.resolve(basis)),
    ]);
    const refused = outcomes.filter((outcome) => outcome.refused !== null);
    expect(refused).toEqual([
      { gate: basis.gate, moved: [], written: new Map(), refused: { kind: "gate" } } satisfies RoundOutcome,
    ]);
    const holding = [...(await site.gate()).gate.slots.keys()].toSorted();
    expect(holding).toEqual(outcomes[0].refused === null ? ["a", "b"] : ["c"]);
  });

  test("a change that was made and undone meanwhile is one of which the conductor has not heard", async () => {
    await site.moves(await grant("a"));
    const basis = await site.basis();
    await site.moves(...onHosts("reclaim", "a"));
    expect((await carry(site.zk, round(await grant("b")), Promise.resolve(basis))).refused).toEqual({ kind: "gate" });
  });

  test("a host whose status has changed is named, and nothing of what was decided with it is written", async () => {
    const basis = await site.basis();
    await says("b", { step: "serving" });
    const what = round(await grant("a"), await grant("b"), await grant("c"));
    const { refused, moved, gate } = await carry(site.zk, what, Promise.resolve(basis));
    expect({ refused, moved }).toEqual({ refused: { kind: "host", host: "b" }, moved: [] });
    expect(gate).toBe(basis.gate);
    expect((await site.gate()).gate.slots.size).toBe(0);
    // Without it the others are granted theirs.
    const others = await carry(site.zk, round(await grant("a"), await grant("c")), Promise.resolve(basis));
    expect(others.refused).toBeNull();
  });

  test.each(["release", "reclaim", "heal", "fail"] as const)(
    "a host that says something else meanwhile keeps what it has: %s",
    async (kind) => {
      await site.moves(await grant("a"), { kind: "fail", host: "b", failure: failureOf({ healthy: false }) });
      const [basis, before] = [await site.basis(), await site.gate()];
      const host = kind === "heal" ? "b" : "a";
      await says(host, { step: "soak", begun: true });
      const move: GateMove =
        kind === "fail" ? { kind, host, failure: failureOf() } : (onHosts(kind, host)[0] as GateMove);
      const { refused } = await carry(site.zk, round(move), Promise.resolve(basis));
      expect(refused).toEqual({ kind: "host", host });
      expect(await site.gate()).toEqual(before);
    },
  );

  test("200 hosts go in one transaction, and what was written stays when a later one is refused", async () => {
    const hosts = await holders(450);
    const basis = await site.basis();
    await says("h420", { step: "soak" });
    const { refused, moved, gate } = await carry(
      watched,
      round(...onHosts("release", ...hosts)),
      Promise.resolve(basis),
    );
    expect(refused).toEqual({ kind: "host", host: "h420" });
    expect(moved).toEqual(hosts.slice(0, 400));
    // The gate, and of each host its status and its slot.
    expect(watched.multis.map((ops) => ops.length)).toEqual([401, 401, 101]);
    expect(gate).toEqual(await site.gate());
    expect([...gate.gate.slots.keys()].toSorted()).toEqual(hosts.slice(400).toSorted());
  });

  describe("a grant is refused, and with it all others of its round,", () => {
    const refusal = async (
      change: () => Promise<unknown>,
      ...granted: GateMove[]
    ): Promise<RoundOutcome["refused"]> => {
      const basis = await site.basis();
      await change();
      const { refused, moved } = await carry(site.zk, round(...granted), Promise.resolve(basis));
      expect(moved).toEqual([]);
      expect((await site.gate()).gate.slots.size).toBe(0);
      return refused;
    };

    test("when a deploy was added of which the conductor has not heard", async () => {
      await site.state("d1", "done");
      const granted = [await grant("a"), await grant("b")];
      expect(await refusal(() => site.deploy("d2", "v2"), ...granted)).toEqual({ kind: "deploys" });
    });

    test("when its deploy's record was changed: paused, halted, or turned round", async () => {
      const granted = [await grant("a"), await grant("b")];
      expect(await refusal(() => site.state("d1", "halted"), ...granted)).toEqual({ kind: "deploy", deploy: "d1" });
    });

    test("when its build was barred", async () => {
      // A finished one, for a host that comes back: barring a build halts the deploy that is under way.
      await site.state("d1", "done");
      const bar = { who: "me", why: "", time: NOW.toISOString() };
      const refused = await refusal(() => barBuild(site.zk, "web", "v1", bar), await grant("a"));
      expect(refused).toEqual({ kind: "build", build: "v1" });
    });

    test("when its host's agent is gone", async () => {
      const granted = [await grant("a"), await grant("b")];
      const refused = await refusal(() => site.zk.delete(agentPath("b")), ...granted);
      expect(refused).toEqual({ kind: "host", host: "b" });
    });

    test("when its host holds a slot, whoever has made that", async () => {
      const basis = await site.basis();
      await site.zk.create("/services/web/slots/a", "by hand");
      const { refused } = await carry(site.zk, round(await grant("b"), await grant("a")), Promise.resolve(basis));
      expect(refused).toEqual({ kind: "host", host: "a" });
    });
  });

  test("a host that has the barred build already may be kept in service", async () => {
    await says("a", { build: "v1", health: "unhealthy" });
    const basis = await site.basis();
    await barBuild(site.zk, "web", "v1", { who: "me", why: "", time: NOW.toISOString() });
    expect((await carry(site.zk, round(await grant("a")), Promise.resolve(basis))).refused).toBeNull();
  });

  test("a host that is lost is not, when its agent is back", async () => {
    await site.moves(await grant("a"));
    const basis = await site.basis();
    const lose: GateMove = { kind: "lose", host: "a", failure: failureOf({ healthy: false }) };
    expect((await carry(site.other, round(lose), Promise.resolve(basis))).refused).toEqual({ kind: "host", host: "a" });
    expect([...(await site.gate()).gate.slots.keys()]).toEqual(["a"]);
    await site.zk.delete(agentPath("a"));
    expect((await carry(site.other, round(lose), Promise.resolve(basis))).refused).toBeNull();
    const { slots, failed } = (await site.gate()).gate;
    expect([slots.size, failed.get("a")?.healthy]).toEqual([0, false]);
    expect(await site.zk.exists(agentPath("a"))).toBeNull();
    // Another conductor has come to the same conclusion.
    expect((await carry(site.zk, round(lose), Promise.resolve(basis))).refused).toEqual({ kind: "gate" });
  });

  test("failures beyond the budget halt their deploy in the same transaction, and neither is written alone", async () => {
    await site.moves(await grant("a"));
    const basis = await site.basis();
    const deploy = basis.deploys.get("d1");
    if (deploy === undefined) throw new Error("there is no deploy d1");
    const halt: DeployStep = { deploy, move: { to: "halted", reason: "a: it does not start" } };
    const what: Round = { moves: [{ kind: "fail", host: "a", failure: failureOf() }], steps: [halt] };
    await says("a", { step: "soak" });
    const late = await carry(watched, what, Promise.resolve(basis));
    expect(late).toMatchObject({ refused: { kind: "host", host: "a" }, written: new Map() });
    expect((await site.record("d1")).state).toBe("rolling");
    const { written, refused } = await carry(watched, what);
    expect(refused).toBeNull();
    expect(written.get("d1")).toEqual(await site.record("d1"));
    expect(await site.record("d1")).toMatchObject({ state: "halted", reason: "a: it does not start" });
    expect((await site.gate()).gate.failed.get("a")).toEqual(failureOf());
    expect(watched.multis).toHaveLength(2);
  });

  test.each([
    ["a deploy is halted with the first of many hosts", { to: "halted", reason: "" }, 0],
    ["a deploy that ends does so with the last of many hosts", { to: "done", cost: null }, 1],
  ] as const)("%s", async (_what, move, at) => {
    const hosts = await holders(201);
    const basis = await site.basis();
    const deploy = basis.deploys.get("d1");
    if (deploy === undefined) throw new Error("there is no deploy d1");
    // The last host says something else when the others are through, so that the last transaction is refused.
    watched.before = async (sent) => (sent === 1 ? says("h200", { step: "soak" }) : undefined);
    const what: Round = { moves: onHosts("release", ...hosts), steps: [{ deploy, move }] };
    const { written, moved, refused } = await carry(watched, what, Promise.resolve(basis));
    expect(refused).toEqual({ kind: "host", host: "h200" });
    expect(moved).toEqual(hosts.slice(0, 200));
    const sets = watched.multis.map((ops) => ops.some(({ path }) => path === deployPath("web", "d1")));
    expect(sets).toEqual([at === 0, at === 1]);
    expect([...written.keys()]).toEqual(at === 0 ? ["d1"] : []);
    expect((await site.record("d1")).state).toBe(at === 0 ? "halted" : "rolling");
  });

  test.each([
    ["turned round", rollBack],
    ["aborted", abort],
  ])("a deploy that begins and is %s when some of its many hosts have their slot grants no more", async (_how, end) => {
    await site.state("d1", "done");
    const hosts = names(201);
    await Promise.all(hosts.map((host) => site.host(host)));
    await site.deploy("d2", "v2");
    const basis = await site.basis();
    const deploy = basis.deploys.get("d2");
    if (deploy === undefined) throw new Error("there is no deploy d2");
    // The slots name the record that this round makes of it.
    const slot = slotOf({ deploy: "d2", build: "v2", record: deploy.recordVersion + 1 });
    const moves = hosts.map((host): GateMove => ({ kind: "grant", host, slot }));
    watched.before = async (sent) => {
      if (sent === 1) await end(site.zk, { service: "web", who: "me", why: "", now: NOW });
    };
    const begin: DeployStep = { deploy, move: { to: "activating", base: { hosts: 201, zones: {} } } };
    const outcome = await carry(watched, { moves, steps: [begin] }, Promise.resolve(basis));
    expect(outcome.written.get("d2")?.state).toBe("rolling");
    expect(outcome.moved).toHaveLength(200);
    expect(outcome.refused?.kind).toMatch(/^deploys?$/);
    expect((await site.gate()).gate.slots.has("h200")).toBe(false);
  });

  test("with a way back that is complete the canary hosts follow the fleet's wish again", async () => {
    await site.state("d1", "done");
    await site.host("canary", "canary");
    await site.deploy("d2", "v2", "canary");
    await site.state("d2", "canary");
    await rollBack(site.zk, { service: "web", who: "me", why: "", now: NOW });
    const deploy = (await site.basis()).deploys.get("d2");
    if (deploy === undefined) throw new Error("there is no deploy d2");
    const done: Round = { moves: [], steps: [{ deploy, move: { to: "rolled back", cost: null } }] };
    const { refused } = await carry(site.zk, done);
    expect(refused).toBeNull();
    expect((await site.record("d2")).state).toBe("rolled back");
    expect(await site.zk.exists(canaryPath("web"))).toBeNull();
  });

  test("a failure that somebody has deleted by hand stops what was decided with it, and names its host", async () => {
    await site.moves({ kind: "fail", host: "a", failure: failureOf({ healthy: false }) });
    const basis = await site.basis();
    await site.zk.delete(failurePath("web", "a"));
    const { refused } = await carry(site.zk, round(...onHosts("heal", "a")), Promise.resolve(basis));
    expect(refused).toEqual({ kind: "host", host: "a" });
  });
});
