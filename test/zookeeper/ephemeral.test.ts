import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper, type Stat } from "../../src/zookeeper/client.ts";
import type { EphemeralHandle } from "../../src/zookeeper/ephemeral/ephemeral_keeper.ts";
import { isZooKeeperError } from "../../src/zookeeper/errors.ts";
import { openAcl, Perms } from "../../src/zookeeper/znode.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { Session } from "../../src/zookeeper/session.ts";
import { eventually } from "../harness/eventually.ts";
import { startProxy, type FaultProxy } from "../harness/proxy.ts";

const deadlineMs = 4_000;
const tooLarge = "x".repeat(2_000_000);
const path = "/dir/mine";
const allBut = (perms: number) => openAcl.map((entry) => ({ ...entry, perms: Perms.all & ~perms }));

let server: DevServer;
let proxy: FaultProxy;
let session: Session;
let other: ZooKeeper;
let conflicts: Stat[];
let troubles: unknown[];

beforeEach(async () => {
  server = await startDevServer({ clock: systemClock, tickMs: 50 });
  proxy = await startProxy(server.port);
  troubles = [];
  conflicts = [];
  const onError = (error: unknown): void => void troubles.push(error);
  session = new Session({ clock: systemClock, servers: proxy.connectString, sessionTimeoutMs: 1_000, onError });
  other = new ZooKeeper({ clock: systemClock, servers: server.connectString });
  await other.create("/dir");
});

afterEach(async () => {
  proxy.resume();
  await session.close();
  await other.close();
  await proxy[Symbol.asyncDispose]();
  await server.close();
});

const make = (data: string | Uint8Array = "1"): Promise<EphemeralHandle> =>
  session.ephemeral(path, data, (stat) => void conflicts.push(stat));

/** "ok", the code of the error, or that nothing was heard within the deadline. */
async function outcomeOf(work: Promise<unknown>): Promise<string> {
  const settled = work.then(
    () => "ok",
    (error: unknown) => (isZooKeeperError(error) ? error.code : String(error)),
  );
  return await Promise.race([settled, Bun.sleep(deadlineMs).then(() => "never settled")]);
}

const mineNow = async (): Promise<boolean> => (await other.exists(path))?.ephemeralOwner === session.client.sessionId;
const text = async (): Promise<string> => Buffer.from((await other.get(path)).data).toString();

/** Takes our node away and puts another's in its place, before we can look. */
async function supplant(mode: "persistent" | "ephemeral"): Promise<void> {
  await other.multi([
    { type: "delete", path, version: -1 },
    { type: "create", path, data: "theirs", mode, acl: openAcl, ttlMs: undefined },
  ]);
  await eventually(() => conflicts.length > 0);
}

describe.each(["persistent", "ephemeral"] as const)("a foreign %s node", (mode) => {
  test("is a conflict that is told once, and its data is left alone", async () => {
    await other.create(path, "theirs", { mode });
    const made = make();
    expect(await outcomeOf(made)).toBe("ok");
    const handle = await made;
    expect([handle.held, conflicts.length]).toEqual([false, 1]);
    expect(conflicts[0]?.ephemeralOwner).toBe(mode === "ephemeral" ? other.sessionId : 0n);
    await other.set(path, "still theirs");
    await other.set(path, "theirs again");
    await session.client.sync("/");
    expect([conflicts.length, await text()]).toEqual([1, "theirs again"]);
    await other.delete(path);
    await eventually(() => handle.held);
    expect([await mineNow(), await text()]).toEqual([true, "1"]);
  });

  test("that takes the place of ours is a conflict too, and no longer held", async () => {
    const handle = await make();
    await supplant(mode);
    expect([handle.held, conflicts.length]).toEqual([false, 1]);
  });

  test("refuses a set, which changes nothing, then or later", async () => {
    await other.create(path, "theirs", { mode });
    const handle = await make();
    expect(await outcomeOf(handle.set("2"))).toBe("NODE_EXISTS");
    expect(await text()).toBe("theirs");
    await other.delete(path);
    await eventually(() => handle.held);
    expect(await text()).toBe("1");
    expect([await outcomeOf(handle.set("3")), await text()]).toEqual(["ok", "3"]);
  });

  test("refuses a set that was asked while it took our place", async () => {
    const handle = await make();
    await supplant(mode);
    expect(await outcomeOf(handle.set("2"))).toBe("NODE_EXISTS");
    expect(await text()).toBe("theirs");
  });

  test("outlives our remove", async () => {
    await other.create(path, "theirs", { mode });
    const handle = await make();
    expect(await outcomeOf(handle.remove())).toBe("ok");
    expect(await text()).toBe("theirs");
    await other.delete(path);
    await session.client.sync("/");
    expect(await other.exists(path)).toBeNull();
  });
});

test("a persistent node that follows another persistent one is told as well", async () => {
  await other.create(path, "theirs");
  await make();
  await other.multi([
    { type: "delete", path, version: -1 },
    { type: "create", path, data: "theirs", mode: "persistent", acl: openAcl, ttlMs: undefined },
  ]);
  await eventually(() => conflicts.length === 2);
});

describe("without the right", () => {
  test("to create, the node is refused", async () => {
    await other.setAcl("/dir", allBut(Perms.create));
    expect(await outcomeOf(make())).toBe("NO_AUTH");
  });

  test("to write, a set is refused and the node keeps its data over sessions", async () => {
    const handle = await make();
    await other.setAcl(path, allBut(Perms.write));
    expect(await outcomeOf(handle.set("2"))).toBe("NO_AUTH");
    expect([handle.held, await text()]).toEqual([true, "1"]);
    server.expire(session.client.sessionId);
    await eventually(async () => handle.held && (await mineNow()));
    expect(await text()).toBe("1");
  });

  test("to delete, a remove is refused, the node is still there, and it may be tried again", async () => {
    const handle = await make();
    await other.setAcl("/dir", allBut(Perms.delete));
    expect(await outcomeOf(handle.remove())).toBe("NO_AUTH");
    expect(await mineNow()).toBe(true);
    await other.setAcl("/dir", openAcl);
    expect(await outcomeOf(handle.remove())).toBe("ok");
    expect(await other.exists(path)).toBeNull();
  });
});

describe("data that is too large", () => {
  test("is refused when the node is made", async () => {
    expect(await outcomeOf(make(tooLarge))).toBe("TOO_LARGE");
    expect(await other.exists(path)).toBeNull();
  });

  test("is refused when it is set; what was asked before and after it has its own outcome", async () => {
    const handle = await make();
    const asked = [handle.set("2"), handle.set(tooLarge), handle.set("3")];
    expect(await Promise.all(asked.map(outcomeOf))).toEqual(["ok", "TOO_LARGE", "ok"]);
    expect([handle.held, await text()]).toEqual([true, "3"]);
    expect(await outcomeOf(handle.set(tooLarge))).toBe("TOO_LARGE");
    const { stat } = await other.get(path);
    server.expire(session.client.sessionId);
    await eventually(async () => handle.held && (await mineNow()));
    expect([stat.version, await text()]).toEqual([2, "3"]);
  });

  test("that was refused does not keep the node from being removed", async () => {
    const handle = await make();
    expect(await outcomeOf(handle.set(tooLarge))).toBe("TOO_LARGE");
    expect(await outcomeOf(handle.remove())).toBe("ok");
    expect(await other.exists(path)).toBeNull();
  });
});

describe("a parent that is not there", () => {
  const dropDir = (): Promise<unknown> =>
    other.multi([
      { type: "delete", path, version: -1 },
      { type: "delete", path: "/dir", version: -1 },
    ]);

  test("refuses the node", async () => {
    await other.delete("/dir");
    expect(await outcomeOf(make())).toBe("NO_NODE");
  });

  test("refuses a set, says so once, and has the node again as soon as it is back", async () => {
    const handle = await make();
    await dropDir();
    expect(await outcomeOf(handle.set("2"))).toBe("NO_NODE");
    // Tried again meanwhile.
    await Bun.sleep(1_500);
    expect(troubles.map((error) => isZooKeeperError(error) && error.code)).toEqual(["NO_NODE"]);
    await other.create("/dir");
    await eventually(() => handle.held);
    expect(await text()).toBe("1");
  });

  test("leaves a remove nothing to do", async () => {
    const handle = await make();
    await dropDir();
    expect(await outcomeOf(handle.remove())).toBe("ok");
  });
});

test("a node that somebody deletes is no refusal of a set: it is made again, with the new data", async () => {
  const handle = await make();
  await other.delete(path);
  expect([await outcomeOf(handle.set("2")), await mineNow(), await text()]).toEqual(["ok", true, "2"]);
});

test("a node below an ephemeral one is refused, as is whatever else no waiting helps", async () => {
  await other.create("/short", "", { mode: "ephemeral" });
  expect(await outcomeOf(session.ephemeral("/short/mine", "1"))).toBe("NO_CHILDREN_FOR_EPHEMERALS");
  server.faults.failOperation = ({ path: asked }) => (asked === path ? "QUOTA_EXCEEDED" : undefined);
  expect(await outcomeOf(make())).toBe("QUOTA_EXCEEDED");
});

describe("over a lost connection", () => {
  test("a node is made, and set, once there is one again", async () => {
    await session.client.connected();
    proxy.refuse();
    await eventually(() => session.state.kind === "suspended");
    const made = make();
    proxy.resume();
    expect(await outcomeOf(made)).toBe("ok");
    const handle = await made;
    proxy.refuse();
    await eventually(() => session.state.kind === "suspended");
    const sets = [handle.set("2"), handle.set("3")];
    proxy.resume();
    expect([await Promise.all(sets.map(outcomeOf)), await text()]).toEqual([["ok", "ok"], "3"]);
  });

  test("a set whose answer is lost is written all the same", async () => {
    const handle = await make();
    proxy.blackHoleAnswers();
    const set = handle.set("2");
    await eventually(async () => (await text()) === "2");
    proxy.cut();
    proxy.resume();
    expect([await outcomeOf(set), await text()]).toEqual(["ok", "2"]);
  });

  test("a set is written in the session that follows", async () => {
    const handle = await make();
    proxy.refuse();
    await eventually(() => session.state.kind === "suspended");
    const set = handle.set("2");
    server.expire(session.client.sessionId);
    proxy.resume();
    expect([await outcomeOf(set), await mineNow(), await text()]).toEqual(["ok", true, "2"]);
  });

  test("a node is removed, in its own session and in the one that follows", async () => {
    for (const outMs of [0, 3_000]) {
      const handle = await make();
      proxy.refuse();
      await eventually(() => session.state.kind === "suspended");
      const removed = handle.remove();
      await Bun.sleep(outMs);
      proxy.resume();
      expect(await outcomeOf(removed)).toBe("ok");
      expect(await other.exists(path)).toBeNull();
    }
  }, 20_000);

  test("a node is not held once its session is over, though nobody could say so", async () => {
    const handle = await make();
    proxy.refuse();
    await eventually(() => !handle.held);
    expect(session.epoch).toBe(2);
    proxy.resume();
    await eventually(async () => handle.held && (await mineNow()));
    expect(conflicts).toEqual([]);
  });
});

test("what waits when the session is closed is told so", async () => {
  const handle = await make();
  proxy.refuse();
  await eventually(() => session.state.kind === "suspended");
  const set = handle.set("2");
  await session.close();
  expect([await outcomeOf(set), await outcomeOf(handle.set("3")), await outcomeOf(handle.remove())]).toEqual([
    "CLOSED",
    "CLOSED",
    "ok",
  ]);
});

test("a refused identity ends every wait", async () => {
  const handle = await make();
  await session.client.addAuth("no-such-scheme", "x").catch(() => undefined);
  expect(session.state.kind).toBe("auth-failed");
  expect([await outcomeOf(handle.set("2")), await outcomeOf(handle.remove()), await outcomeOf(make())]).toEqual([
    "AUTH_FAILED",
    "AUTH_FAILED",
    "AUTH_FAILED",
  ]);
});
