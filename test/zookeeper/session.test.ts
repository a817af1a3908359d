import { afterEach, beforeEach, expect, test } from "bun:test";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper, type Stat } from "../../src/zookeeper/client.ts";
import { isZooKeeperError } from "../../src/zookeeper/errors.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { Session } from "../../src/zookeeper/session.ts";
import { eventually } from "../harness/eventually.ts";
import { startProxy, type FaultProxy } from "../harness/proxy.ts";

let server: DevServer;
let proxy: FaultProxy;
let session: Session;
let observer: ZooKeeper;

beforeEach(async () => {
  server = await startDevServer({ clock: systemClock, tickMs: 50 });
  proxy = await startProxy(server.port);
  session = new Session({ clock: systemClock, servers: proxy.connectString });
  observer = new ZooKeeper({ clock: systemClock, servers: server.connectString });
});

afterEach(async () => {
  proxy.resume();
  await session.close();
  await observer.close();
  await proxy[Symbol.asyncDispose]();
  await server.close();
});

async function dataAt(path: string): Promise<string> {
  return Buffer.from((await observer.get(path)).data).toString();
}

async function ownerOf(path: string): Promise<bigint | undefined> {
  return (await observer.exists(path))?.ephemeralOwner;
}

function expire(): void {
  expect(server.expire(session.client.sessionId)).toBe(true);
}

test("an expired session is followed by another, announced as a new epoch", async () => {
  await session.client.connected();
  const first = session.client;
  const epochs: number[] = [];
  const states: string[] = [];
  session.onEpoch((epoch) => void epochs.push(epoch));
  session.onState((state) => void states.push(state.kind));
  expect(session.epoch).toBe(1);
  expire();
  await eventually(() => session.epoch === 2 && session.state.kind === "connected");
  expect(session.client).not.toBe(first);
  expect(session.client.sessionId).not.toBe(first.sessionId);
  await eventually(() => states.at(-1) === "connected");
  expect(epochs).toEqual([2]);
  expect(states).toEqual(["suspended", "connecting", "connected"]);
});

test("an ephemeral node is made again in every new session, with its newest data", async () => {
  const handle = await session.ephemeral("/alive", "1");
  expect(handle.held).toBe(true);
  await handle.set("2");
  for (let round = 0; round < 3; round += 1) {
    expire();
    await eventually(async () => (await ownerOf("/alive")) === session.client.sessionId && handle.held);
    expect(await dataAt("/alive")).toBe("2");
  }
});

test("an ephemeral node that somebody deletes is made again", async () => {
  await session.ephemeral("/alive", "1");
  await observer.delete("/alive");
  await eventually(async () => (await ownerOf("/alive")) === session.client.sessionId);
});

test("an ephemeral node outlives a lost connection unchanged", async () => {
  await session.ephemeral("/alive", "1");
  const { stat } = await observer.get("/alive");
  proxy.cut();
  await eventually(() => proxy.accepted === 2 && session.state.kind === "connected");
  expect((await observer.get("/alive")).stat.czxid).toBe(stat.czxid);
});

test("a create whose answer is lost is recognised as our own, not as a conflict", async () => {
  await session.client.connected();
  proxy.blackHoleAnswers();
  const conflicts: Stat[] = [];
  const made = session.ephemeral("/alive", "1", (stat) => void conflicts.push(stat));
  await eventually(async () => (await ownerOf("/alive")) === session.client.sessionId);
  proxy.cut();
  proxy.resume();
  const handle = await made;
  expect(handle.held).toBe(true);
  expect(conflicts).toEqual([]);
});

test("a node held by another live session is a conflict, reported once, and taken over when that one goes", async () => {
  const other = new ZooKeeper({ clock: systemClock, servers: server.connectString });
  await other.create("/alive", "theirs", { mode: "ephemeral" });
  const owners: bigint[] = [];
  const handle = await session.ephemeral("/alive", "ours", (stat) => void owners.push(stat.ephemeralOwner));
  expect(handle.held).toBe(false);
  await other.set("/alive", "still theirs");
  await other.set("/alive", "and again");
  await other.close();
  await eventually(() => handle.held);
  expect(owners).toEqual([other.sessionId]);
  expect(await dataAt("/alive")).toBe("ours");
});

test("a removed ephemeral node is gone and stays gone", async () => {
  const handle = await session.ephemeral("/alive", "1");
  await handle.remove();
  expect(await observer.exists("/alive")).toBeNull();
  expire();
  await eventually(() => session.epoch === 2 && session.state.kind === "connected");
  await session.client.sync("/");
  expect(await observer.exists("/alive")).toBeNull();
  const late = await handle.set("2").catch((error: unknown) => error);
  expect(isZooKeeperError(late, "CLOSED")).toBe(true);
});

test("an ephemeral node that can never be made is refused to its caller", async () => {
  const error = await session.ephemeral("/no/parent", "1").catch((thrown: unknown) => thrown);
  expect(isZooKeeperError(error, "NO_NODE")).toBe(true);
});

test("an ephemeral node asked for while there is no connection is made when there is", async () => {
  proxy.refuse();
  const late = new Session({ clock: systemClock, servers: proxy.connectString });
  try {
    const made = late.ephemeral("/late", "1");
    proxy.resume();
    expect((await made).held).toBe(true);
    expect(await dataAt("/late")).toBe("1");
  } finally {
    await late.close();
  }
  expect(await observer.exists("/late")).toBeNull();
});

test("a refused identity is final: it is surfaced and nothing is tried again", async () => {
  const refused = new Session({
    clock: systemClock,
    servers: proxy.connectString,
    auth: [{ scheme: "no-such-scheme", credentials: "x" }],
  });
  const states: string[] = [];
  refused.onState((state) => void states.push(state.kind));
  const error = await refused.ephemeral("/alive", "1").catch((thrown: unknown) => thrown);
  expect(isZooKeeperError(error, "AUTH_FAILED")).toBe(true);
  await eventually(() => refused.state.kind === "auth-failed");
  expect([refused.epoch, states]).toEqual([1, ["auth-failed"]]);
  await refused.close();
});

test("closing ends the session and its nodes", async () => {
  await session.ephemeral("/alive", "1");
  await session.close();
  expect(session.state.kind).toBe("closed");
  expect(await observer.exists("/alive")).toBeNull();
});
