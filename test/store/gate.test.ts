import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { rollBack } from "../../src/store/roll_back.ts";
import { healHost, loseHolder, reclaimSlot, releaseSlot, reportFailure, type GateRead } from "../../src/store/gate.ts";
import { grantSlot } from "../../src/store/grants.ts";
import { agentPath, gatePath, grantPath, statusPath } from "../../src/store/paths.ts";
import { encode } from "../../src/store/records.ts";
import type { Failure } from "../../src/schema/znodes.ts";
import type { ZooKeeper } from "../../src/zookeeper/client.ts";
import { servers } from "./servers.ts";
import { never, NOW, Site, statusOf } from "./site.ts";

const since = NOW.toISOString();
const slot = (attempt = 1) => ({ attempt, since });
const move = (host: string, deploy = "d1") => ({ service: "web", deploy, host, signal: never });
const failure = (changes: Partial<Failure> = {}): Failure => ({
  reason: "it does not start",
  build: "v1",
  healthy: true,
  since,
  ...changes,
});

describe.each(servers)("with %s", (_name, start) => {
  let server: { connectString: string } & AsyncDisposable;
  let site: Site;
  let count = 0;

  beforeAll(async () => {
    server = await start();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    site = await Site.open(server.connectString, `/gate-${(count += 1)}`, { max: 2, budget: 0 });
    for (const host of ["a", "b", "c"]) await site.host(host);
    await site.deploy("d1", "v1");
    await site.state("d1", "rolling");
  });
  afterEach(async () => {
    await site[Symbol.asyncDispose]();
  });

  async function grant(host: string, attempt = 1): Promise<GateRead | null> {
    return grantSlot(site.zk, "web", await site.gate("d1"), await site.basis(host), host, slot(attempt));
  }

  async function isGranted(host: string): Promise<boolean> {
    return (await site.zk.exists(grantPath("web", "d1", host))) !== null;
  }

  test("a grant is a slot and a node that its host watches, and the answer is good for the next grant", async () => {
    const after = await grant("a");
    expect(after?.gate.slots).toEqual({ a: slot() });
    expect(await isGranted("a")).toBe(true);
    if (after === null) throw new Error("it was not granted");
    const next = await grantSlot(site.zk, "web", after, await site.basis("b"), "b", slot());
    expect(Object.keys(next?.gate.slots ?? {})).toEqual(["a", "b"]);
    expect(next).toEqual(await site.gate("d1"));
  });

  test("of two conductors with the same view one grants", async () => {
    const [gate, basisA, basisB] = [await site.gate("d1"), await site.basis("a"), await site.basis("b")];
    const both = await Promise.all([
      grantSlot(site.zk, "web", gate, basisA, "a", slot()),
      grantSlot(site.other, "web", gate, basisB, "b", slot()),
    ]);
    expect(both.filter((after) => after !== null)).toHaveLength(1);
    expect(Object.keys((await site.gate("d1")).gate.slots)).toHaveLength(1);
  });

  test("a conductor that goes by an old view grants nothing", async () => {
    const gate = await site.gate("d1");
    const basis = await site.basis("a");
    const stale = () => grantSlot(site.zk, "web", gate, basis, "a", slot());

    await site.zk.set(statusPath("web", "a"), encode(statusOf({ step: "serving" })));
    expect(await stale()).toBeNull();
    const fresh = await site.basis("a");
    await site.state("d1", "halted");
    expect(await grantSlot(site.zk, "web", gate, fresh, "a", slot())).toBeNull();
    expect((await site.gate("d1")).gate.slots).toEqual({});
  });

  test("a conductor that has not heard of a newer deploy grants nothing in the old one", async () => {
    await site.state("d1", "done");
    const [gate, basis] = [await site.gate("d1"), await site.basis("a")];
    await site.deploy("d2", "v2");
    const b = await grantSlot(site.other, "web", await site.gate("d2"), await site.basis("b", "d1"), "b", slot());
    expect(b).not.toBeNull();
    expect(await grantSlot(site.zk, "web", gate, basis, "a", slot())).toBeNull();
  });

  test("a slot that was granted in another deploy meanwhile stops a grant", async () => {
    await site.state("d1", "done");
    await site.deploy("d2", "v2");
    const [second, basis] = [await site.gate("d2"), await site.basis("b", "d1")];
    expect(
      await grantSlot(site.other, "web", await site.gate("d1"), await site.basis("a", "d2"), "a", slot()),
    ).toBeTruthy();
    expect(await grantSlot(site.zk, "web", second, basis, "b", slot())).toBeNull();
  });

  test("a host whose agent is gone is granted nothing", async () => {
    await site.zk.delete(agentPath("a"));
    expect(await grant("a")).toBeNull();
    expect((await site.gate("d1")).gate.slots).toEqual({});
  });

  test("a grant without a slot, left by something that died half-way, does not stand in the way", async () => {
    await site.zk.create(grantPath("web", "d1", "a"), encode(slot(0)));
    expect(await grant("a")).toBeNull();
    expect(await grant("a")).not.toBeNull();
  });

  test("a slot is given back together with the status, and twice is once", async () => {
    await grant("a");
    const status = statusOf({ step: "serving", build: "v1", health: "healthy" });
    expect(await releaseSlot(site.zk, move("a"), status)).toBe("changed");
    expect((await site.gate("d1")).gate.slots).toEqual({});
    expect(await isGranted("a")).toBe(false);
    expect(JSON.parse(new TextDecoder().decode((await site.zk.get(statusPath("web", "a"))).data))).toEqual(status);
    expect(await releaseSlot(site.zk, move("a"), null)).toBe("unchanged");
    expect(await releaseSlot(site.zk, move("a", "d7"), null)).toBe("no such deploy");
  });

  test("many hosts that give their slots back at once all succeed", async () => {
    const names = ["a", "b", "c"];
    await site.zk.set(
      gatePath("web", "d1"),
      encode({ slots: Object.fromEntries(names.map((name) => [name, slot()])), failed: {} }),
    );
    const outcomes = await Promise.all(
      names.map((name, index) => releaseSlot(index % 2 === 0 ? site.zk : site.other, move(name), statusOf())),
    );
    expect(outcomes).toEqual(["changed", "changed", "changed"]);
    expect((await site.gate("d1")).gate.slots).toEqual({});
  });

  test("a failure takes the slot's place and halts in the same step, and twice is once", async () => {
    await grant("a");
    await reportFailure(site.zk, move("a"), failure(), statusOf({ step: "failed" }), NOW);
    const after = await site.gate("d1");
    expect(after.gate).toEqual({ slots: {}, failed: { a: failure() } });
    expect(after.record).toMatchObject({ state: "halted", reason: "a: it does not start" });
    expect(await isGranted("a")).toBe(false);
    expect(await reportFailure(site.zk, move("a"), failure(), null, NOW)).toBe("unchanged");
    expect(await site.gate("d1")).toEqual(after);
  });

  test("a failure within the budget does not halt, one beyond it does", async () => {
    await site.zk.set(
      "/services/web/deploys/d1",
      encode({ ...(await site.gate("d1")).record, limits: { max: 2, budget: 1, soakMs: 0 } }),
    );
    await reportFailure(site.zk, move("a"), failure(), null, NOW);
    expect((await site.gate("d1")).record.state).toBe("rolling");
    await reportFailure(site.zk, move("b"), failure(), null, NOW);
    expect((await site.gate("d1")).record.state).toBe("halted");
  });

  test("two failures at once beyond the budget halt, whoever is first", async () => {
    await site.zk.set(
      "/services/web/deploys/d1",
      encode({ ...(await site.gate("d1")).record, limits: { max: 2, budget: 1, soakMs: 0 } }),
    );
    await Promise.all([
      reportFailure(site.zk, move("a"), failure(), null, NOW),
      reportFailure(site.other, move("b"), failure(), null, NOW),
    ]);
    expect((await site.gate("d1")).record.state).toBe("halted");
  });

  test("repeating a report does not make a host ill again that was healed since", async () => {
    await reportFailure(site.zk, move("a"), failure({ healthy: false }), null, NOW);
    await healHost(site.zk, move("a"));
    await reportFailure(site.zk, move("a"), failure({ healthy: false }), null, NOW);
    expect((await site.gate("d1")).gate.failed["a"]?.healthy).toBe(true);
  });

  test("a host that is lost keeps its place as a failure and is never set free", async () => {
    await grant("a");
    await loseHolder(site.zk, move("a"), slot().attempt, NOW);
    const { gate, record } = await site.gate("d1");
    expect(gate.slots).toEqual({});
    expect(gate.failed["a"]).toMatchObject({ build: "v1", healthy: false });
    expect(record.state).toBe("halted");
    // Another conductor has come to the same conclusion; and one host of which nothing is known holds no slot.
    await loseHolder(site.other, move("a"), slot().attempt, new Date(NOW.getTime() + 1000));
    await loseHolder(site.other, move("b"), slot().attempt, NOW);
    expect((await site.gate("d1")).gate).toEqual(gate);
  });

  test("a lost host that finishes after all gives its capacity back", async () => {
    await grant("a");
    await loseHolder(site.zk, move("a"), slot().attempt, NOW);
    await releaseSlot(site.zk, move("a"), statusOf({ step: "serving" }));
    expect((await site.gate("d1")).gate.failed["a"]?.healthy).toBe(true);
  });

  test("a lost host that comes back ill gives back its slot and keeps its place among the failures", async () => {
    await grant("a");
    await reportFailure(site.zk, move("a"), failure({ healthy: false }), null, NOW);
    await releaseSlot(site.zk, move("a"), statusOf({ step: "serving", health: "unhealthy" }));
    expect((await site.gate("d1")).gate).toMatchObject({ slots: {}, failed: { a: { healthy: false } } });
    await releaseSlot(site.zk, move("a"), statusOf({ step: "serving", health: "healthy" }));
    expect((await site.gate("d1")).gate).toMatchObject({ slots: {}, failed: { a: { healthy: true } } });
  });

  test("a host that fails on the new build, or is lost with it, does not stop the way back", async () => {
    await site.state("d1", "done");
    await site.deploy("d2", "v2");
    await site.state("d2", "rolling");
    for (const host of ["a", "b"]) {
      const basis = await site.basis(host, "d1");
      await grantSlot(site.zk, "web", await site.gate("d2"), basis, host, { ...slot(), build: "v2" });
    }
    await rollBack(site.zk, { service: "web", who: "me", why: "", now: NOW });
    await reportFailure(site.zk, move("a", "d2"), failure({ build: "v2" }), null, NOW);
    await loseHolder(site.zk, move("b", "d2"), slot().attempt, NOW);
    const { gate, record } = await site.gate("d2");
    expect(record.state).toBe("rolling back");
    expect(Object.values(gate.failed).map(({ build }) => build)).toEqual(["v2", "v2"]);
    // The way back has a budget of its own.
    await reportFailure(site.zk, move("c", "d2"), failure({ build: "v1" }), null, NOW);
    expect((await site.gate("d2")).record.state).toBe("halted");
  });

  test("a slot is reclaimed only while it is the one that was seen", async () => {
    await grant("a", 5);
    const version = async () => (await site.zk.exists(statusPath("web", "a")))?.version ?? -1;
    await reclaimSlot(site.zk, move("a"), 4, await version());
    expect((await site.gate("d1")).gate.slots).toEqual({ a: slot(5) });
    // And while the status says what it said.
    const before = await version();
    await site.zk.set(statusPath("web", "a"), encode(statusOf({ attempt: 6 })));
    await reclaimSlot(site.zk, move("a"), 5, before);
    expect((await site.gate("d1")).gate.slots).toEqual({ a: slot(5) });
    await reclaimSlot(site.zk, move("a"), 5, await version());
    expect((await site.gate("d1")).gate.slots).toEqual({});
    expect(await isGranted("a")).toBe(false);
  });

  test("conductors that grant and hosts that come back, all at once, never pass the limit", async () => {
    const attempt = async (zk: ZooKeeper, host: string): Promise<void> => {
      for (let tries = 0; tries < 40; tries++) {
        const [basis, gate] = [await site.basis(host), await site.gate("d1")];
        if (gate.gate.slots[host] !== undefined || Object.keys(gate.gate.slots).length >= 2) continue;
        const after = await grantSlot(zk, "web", gate, basis, host, slot(tries));
        most = Math.max(most, Object.keys(after?.gate.slots ?? {}).length);
        if (after !== null) await releaseSlot(zk, move(host), statusOf({ attempt: tries }));
      }
    };
    let most = 0;
    await Promise.all([attempt(site.zk, "a"), attempt(site.other, "b"), attempt(site.zk, "c")]);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(2);
    expect((await site.gate("d1")).gate.slots).toEqual({});
  });
});
