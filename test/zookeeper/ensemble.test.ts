import { afterAll, beforeAll, expect, test } from "bun:test";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper, type WatchEvent } from "../../src/zookeeper/client.ts";
import { eventually } from "../harness/eventually.ts";
import { startProxy } from "../harness/proxy.ts";
import { startEnsemble, startZooKeeper, type RealEnsemble } from "../harness/zookeeper.ts";
import { reconnected, statesOf } from "../harness/zookeeper_states.ts";

let ensemble: RealEnsemble;

beforeAll(async () => {
  ensemble = await startEnsemble(3);
}, 60_000);

afterAll(async () => {
  await ensemble.stop();
});

test("a session outlives its server with its ephemeral node and its watches", async () => {
  await using zk = new ZooKeeper({ clock: systemClock, servers: ensemble.connectString });
  await zk.create("/e", "", { mode: "ephemeral" });
  await zk.create("/watched", "0");
  const events: WatchEvent[] = [];
  await zk.get("/watched", { watch: (event) => void events.push(event) });
  const { sessionId, state } = zk;
  const used = state.kind === "connected" ? state.server : "";
  const victim = ensemble.servers.find((server) => server.connectString === used);
  const survivors = ensemble.servers.filter((server) => server !== victim);
  await using other = new ZooKeeper({
    clock: systemClock,
    servers: survivors.map((server) => server.connectString).join(","),
  });
  await other.connected();
  await victim?.kill();
  // Without a leader a write may fail with an open outcome; here any order of outcomes will do.
  await eventually(async () => (await other.set("/watched", "1", -1, { timeoutMs: 2_000 })).version > 0, 20_000);
  await eventually(() => events.length > 0, 20_000);
  expect(events).toEqual([{ type: "data-changed", path: "/watched" }]);
  expect(zk.sessionId).toBe(sessionId);
  await zk.sync("/e");
  expect((await zk.exists("/e"))?.ephemeralOwner).toBe(sessionId);
  await victim?.restart();
}, 60_000);

test("a read after sync on another server sees the newest write", async () => {
  // A follower: the leader answers its own clients' sync at once, and may have a commit before it that others have made.
  const leader = await ensemble.leader();
  const follower = ensemble.servers.find((server) => server !== leader);
  const others = ensemble.servers.filter((server) => server !== follower);
  await using writer = new ZooKeeper({
    clock: systemClock,
    servers: others.map((server) => server.connectString).join(","),
  });
  await using reader = new ZooKeeper({ clock: systemClock, servers: follower?.connectString ?? "" });
  await writer.create("/counter", "0");
  for (let round = 1; round <= 50; round += 1) {
    await writer.set("/counter", `${round}`);
    await reader.sync("/counter");
    expect((await reader.get("/counter")).stat.version).toBe(round);
  }
});

test("a frozen server is noticed, and the session goes on when it thaws in time", async () => {
  await using server = await startZooKeeper();
  await using zk = new ZooKeeper({ clock: systemClock, servers: server.connectString, sessionTimeoutMs: 2_000 });
  await zk.create("/e", "", { mode: "ephemeral" });
  const states = statesOf(zk);
  server.freeze();
  await eventually(() => zk.state.kind === "suspended");
  server.thaw();
  await zk.connected();
  expect((await zk.get("/e")).stat.ephemeralOwner).toBe(zk.sessionId);
  expect(states).toEqual(["suspended", "connected"]);
}, 30_000);

test("20,000 watches are set again on a real server in one reconnect", async () => {
  const [server] = ensemble.servers;
  if (server === undefined) throw new Error("no server");
  await using proxy = await startProxy(server.port);
  await using zk = new ZooKeeper({ clock: systemClock, servers: proxy.connectString });
  await using other = new ZooKeeper({ clock: systemClock, servers: server.connectString });
  const paths = Array.from({ length: 20_000 }, (_, index) => `/a-rather-long-name-for-the-status-of-host-${index}`);
  const fired = new Set<string>();
  await Promise.all(paths.map((path) => zk.exists(path, { watch: (event) => void fired.add(event.path) })));
  await reconnected(zk, () => proxy.cut());
  await Promise.all(paths.map((path) => other.create(path)));
  await eventually(() => fired.size === paths.length, 60_000);
  expect(proxy.accepted).toBe(2);
}, 120_000);
