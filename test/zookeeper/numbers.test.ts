import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/support/clock.ts";
import { op, ZooKeeper } from "../../src/zookeeper/client.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { sharedZooKeeper } from "../harness/shared_zookeeper.ts";
import { failureOf } from "../harness/zookeeper_link.ts";

let server: DevServer;
let zk: ZooKeeper;

beforeAll(async () => {
  server = await startDevServer({ clock: systemClock });
  zk = new ZooKeeper({ clock: systemClock, servers: server.connectString });
  await zk.create("/a", "0");
});

afterAll(async () => {
  await zk.close();
  await server.close();
});

/** Callers without types give others as well. */
const untyped = [0n, "1", null] as unknown as number[];
const bad = [Number.NaN, 1.5, 2 ** 32, 2 ** 31, -(2 ** 31) - 1, Infinity, -Infinity, 2 ** 53, ...untyped];
const world = (perms: number) => [{ perms, scheme: "world", id: "anyone" }];

describe.each(bad)("the number %p", (number) => {
  const calls: readonly (readonly [string, () => Promise<unknown>])[] = [
    ["version of a set", () => zk.set("/a", "1", number)],
    ["version of a delete", () => zk.delete("/a", number)],
    ["version of an access list", () => zk.setAcl("/a", world(31), number)],
    ["sum of permissions", () => zk.setAcl("/a", world(number))],
    ["sum of permissions of a new node", () => zk.create("/b", "", { acl: world(number) })],
    ["version in a multi", () => zk.multi([op.check("/a", number), op.set("/a", "1")])],
    ["version of a set in a multi", () => zk.multi([op.set("/a", "1", number)])],
    ["version of a delete in a multi", () => zk.multi([op.delete("/a", number)])],
  ];
  test.each(calls)("is no %s", async (_what, call) => {
    const error = await failureOf(call());
    expect([error.code, error.outcome]).toEqual(["BAD_ARGUMENTS", "not-sent"]);
    expect(error.message).toContain(String(number));
  });
});

test.each([Number.NaN, 1.5, Infinity, 2 ** 64])("%p is no time to live", async (ttlMs) => {
  for (const call of [
    () => zk.create("/ttl", "", { mode: "persistent-ttl", ttlMs }),
    () => zk.multi([op.create("/ttl", "", { mode: "persistent-ttl", ttlMs })]),
  ]) {
    const error = await failureOf(call());
    expect([error.code, error.outcome]).toEqual(["BAD_ARGUMENTS", "not-sent"]);
    expect(error.message).toContain(String(ttlMs));
  }
});

test.each([Number.NaN, -1])("%p is no deadline", async (timeoutMs) => {
  const error = await failureOf(zk.get("/a", { timeoutMs }));
  expect([error.code, error.outcome]).toEqual(["BAD_ARGUMENTS", "not-sent"]);
});

test("a deadline beyond what a timer can hold is none", async () => {
  server.faults.delayMs = 50;
  try {
    for (const timeoutMs of [Infinity, 2 ** 40]) expect((await zk.get("/a", { timeoutMs })).stat.version).toBe(0);
  } finally {
    server.faults.delayMs = 0;
  }
});

test.each(["sessionTimeoutMs", "connectTimeoutMs", "operationTimeoutMs"] as const)(
  "%s must be a number of milliseconds that a timer can hold",
  (option) => {
    for (const value of [Number.NaN, 0, -1, Infinity, 2 ** 31]) {
      const open = (): ZooKeeper =>
        new ZooKeeper({ clock: systemClock, servers: server.connectString, [option]: value });
      expect(open).toThrow(TypeError);
      expect(open).toThrow(option);
    }
  },
);

test("what was refused before it was sent changed nothing and harms nothing after it", async () => {
  expect((await zk.get("/a")).stat.version).toBe(0);
  expect((await zk.exists("/ttl")) ?? (await zk.exists("/b"))).toBeNull();
});

test("a watch of another session is not ours, though the server may say there is one", async () => {
  const apache = await sharedZooKeeper();
  const path = "/watched-numbers";
  await using mine = new ZooKeeper({ clock: systemClock, servers: apache.connectString });
  await using theirs = new ZooKeeper({ clock: systemClock, servers: apache.connectString });
  try {
    await mine.create(path);
    await theirs.get(path, { watch: () => undefined });
    await theirs.children(path, { watch: () => undefined });
    await theirs.addWatch(path, "persistent", () => undefined);
    for (const kind of ["data", "children", "any"] as const) expect(await mine.hasWatch(path, kind)).toBe(false);
    await mine.get(path, { watch: () => undefined });
    expect([await mine.hasWatch(path, "data"), await mine.hasWatch(path, "children")]).toEqual([true, false]);
  } finally {
    await apache.stop();
  }
}, 60_000);
