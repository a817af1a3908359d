import { expect, test } from "bun:test";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { startDevServer } from "../../src/zookeeper/server/dev_server.ts";
import { eventually } from "../harness/eventually.ts";
import { fourLetters } from "../harness/zookeeper.ts";
import { reconnected } from "../harness/zookeeper_states.ts";

test.each(["0.0.0.0", "::", "10.0.0.1", "example.com", "127.0.0.1.example.com", "1270.0.0.1"])(
  "%s is not loopback and is refused",
  async (host) => {
    const error = await startDevServer({ clock: systemClock, host }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TypeError);
  },
);

test("it serves on IPv6 loopback too", async () => {
  await using server = await startDevServer({ clock: systemClock, host: "::1" });
  await using zk = new ZooKeeper({ clock: systemClock, servers: server.connectString });
  await zk.create("/a");
  expect(server.connectString).toBe(`[::1]:${server.port}`);
});

test("a port that is taken is an error", async () => {
  await using server = await startDevServer({ clock: systemClock });
  const error = await startDevServer({ clock: systemClock, port: server.port }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(Error);
});

test("administrators' four-letter words are answered, also when they come letter by letter", async () => {
  await using server = await startDevServer({ clock: systemClock });
  await using zk = new ZooKeeper({ clock: systemClock, servers: server.connectString });
  await zk.create("/a");
  expect(await fourLetters(server.port, "ruok")).toBe("imok");
  expect(await fourLetters(server.port, "srvr")).toContain("Mode: standalone\nNode count: 5\n");
  expect(await fourLetters(server.port, "mntr")).toContain("zk_znode_count\t5\n");
  expect(await fourLetters(server.port, "nope")).toContain("not known");
});

test("an unknown request and garbage do not bring it down", async () => {
  await using server = await startDevServer({ clock: systemClock });
  await using zk = new ZooKeeper({ clock: systemClock, servers: server.connectString });
  const garbage = await fourLetters(server.port, "\u007f\u007f\u007f\u007fgarbage").catch(() => "cut off");
  expect(garbage).toBe("cut off");
  await zk.create("/a");
});

test("nodes past their time to live go, and containers that have lost their last child", async () => {
  await using server = await startDevServer({ clock: systemClock, reapMs: 20 });
  await using zk = new ZooKeeper({ clock: systemClock, servers: server.connectString });
  await zk.create("/ttl", "", { mode: "persistent-ttl", ttlMs: 50 });
  await zk.create("/kept", "", { mode: "persistent-ttl", ttlMs: 50 });
  await zk.create("/kept/child");
  await zk.create("/unused", "", { mode: "container" });
  await zk.create("/container", "", { mode: "container" });
  await zk.create("/container/child");
  await zk.delete("/container/child");
  await eventually(async () => (await zk.exists("/ttl")) === null && (await zk.exists("/container")) === null);
  expect((await zk.children("/")).children.toSorted()).toEqual(["kept", "unused", "zookeeper"]);
});

test("a session is resumed only with its password", async () => {
  await using server = await startDevServer({ clock: systemClock });
  await using zk = new ZooKeeper({ clock: systemClock, servers: server.connectString });
  await zk.create("/e", "", { mode: "ephemeral" });
  expect(server.expire(`0x${(zk.sessionId + 1n).toString(16)}`)).toBe(false);
  await reconnected(zk, () => server.dropConnections());
  expect((await zk.get("/e")).stat.ephemeralOwner).toBe(zk.sessionId);
});
