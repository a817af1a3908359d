import { afterEach, beforeEach, expect, test } from "bun:test";
import { op, type WatchEvent } from "../../src/zookeeper/client.ts";
import { creatorAcl } from "../../src/zookeeper/znode.ts";
import { eventually } from "../harness/eventually.ts";
import { failureOf, startFaultyLink, type FaultyLink } from "../harness/zookeeper_link.ts";
import { reconnected, statesOf } from "../harness/zookeeper_states.ts";

// The defects that were reproduced in other clients before this one was written, by their numbers there (there is no D8).

let link: FaultyLink;

beforeEach(async () => {
  link = await startFaultyLink();
});

afterEach(async () => {
  await link[Symbol.asyncDispose]();
});

/** Starts a stopwatch that prints how long it took. */
function stopwatch(what: string): () => number {
  const startedAt = performance.now();
  return () => {
    const tookMs = Math.round(performance.now() - startedAt);
    console.log(`${what}: ${tookMs} ms`);
    return tookMs;
  };
}

test("D1: a link that swallows everything is noticed by the heartbeat, and the session goes on when it is back", async () => {
  // Dead at two thirds of it; the last third is what a busy machine may take on top.
  const sessionTimeoutMs = 3_000;
  const zk = link.open({ sessionTimeoutMs });
  await zk.connected();
  const states = statesOf(zk);
  const { sessionId } = zk;
  const noticed = stopwatch("D1 a black hole is noticed after (session 3,000 ms)");
  link.proxy.blackHole();
  expect((await failureOf(zk.get("/"))).code).toBe("CONNECTION_LOSS");
  expect(noticed()).toBeLessThan(sessionTimeoutMs);
  await eventually(() => zk.state.kind === "suspended");
  const recovered = stopwatch("D1 recovered after the link is back");
  link.proxy.resume();
  await zk.get("/");
  expect(recovered()).toBeLessThan(3_000);
  expect([zk.sessionId, states]).toEqual([sessionId, ["suspended", "connected"]]);
});

test("D2: a link cut inside a frame leaves nothing behind on the next connection", async () => {
  const zk = link.open();
  await zk.create("/a", Buffer.alloc(5_000, 1));
  for (const bytes of [1, 4, 17, 2_000]) {
    const recovered = stopwatch(`D2 recovered from a cut after ${bytes} bytes of an answer`);
    link.proxy.cutInsideAnswer(bytes);
    expect((await failureOf(zk.get("/a"))).code).toBe("CONNECTION_LOSS");
    expect((await zk.get("/a")).data.length).toBe(5_000);
    expect(recovered()).toBeLessThan(3_000);
  }
});

test("D3: what waits for a connection is sent after the identities and the watches, in the order of the calls", async () => {
  const zk = link.open({ auth: [{ scheme: "digest", credentials: "app:secret" }] });
  await zk.create("/mine", "0", { acl: creatorAcl });
  const events: WatchEvent[] = [];
  await zk.get("/mine", { watch: (event) => void events.push(event) });
  link.proxy.refuse();
  await eventually(() => zk.state.kind === "suspended");
  const waiting = [zk.set("/mine", "1"), zk.get("/mine"), zk.set("/mine", "2")] as const;
  const recovered = stopwatch("D3 all answered after the link is back");
  link.proxy.resume();
  const [first, read, second] = await Promise.all(waiting);
  expect(recovered()).toBeLessThan(4_000);
  expect([first.version, Buffer.from(read.data).toString(), second.version]).toEqual([1, "1", 2]);
  expect(events).toEqual([{ type: "data-changed", path: "/mine" }]);
});

test("D4: what waits when the session expires fails as that", async () => {
  const zk = link.open();
  await zk.connected();
  link.proxy.refuse();
  await eventually(() => zk.state.kind === "suspended");
  const waiting = [failureOf(zk.set("/", "1")), failureOf(zk.get("/"))];
  link.server.expire(zk.sessionId);
  const told = stopwatch("D4 all failed after the link is back");
  link.proxy.resume();
  for (const error of await Promise.all(waiting)) expect(error.code).toBe("SESSION_EXPIRED");
  expect(told()).toBeLessThan(4_000);
});

test("D5: a server that accepts and never answers is given up after the handshake's deadline, again and again", async () => {
  link.server.faults.dropReplies = true;
  const zk = link.open({ connectTimeoutMs: 80 });
  await eventually(() => link.proxy.accepted >= 3);
  expect(zk.state.kind).toBe("connecting");
  const recovered = stopwatch("D5 connected after the server answers again");
  link.server.faults.dropReplies = false;
  await zk.connected();
  expect(recovered()).toBeLessThan(4_000);
});

test("D6: 20,000 watches come back in one reconnect, and all of them fire", async () => {
  const zk = link.open();
  const other = link.observe();
  const paths = Array.from({ length: 20_000 }, (_, index) => `/services/of/the/fleet/status-of-host-${index}`);
  const fired = new Set<string>();
  await Promise.all(paths.map((path) => zk.exists(path, { watch: (event) => void fired.add(event.path) })));
  const before = link.proxy.accepted;
  const recovered = stopwatch("D6 reconnected with 20,000 watches after");
  await reconnected(zk, () => link.proxy.cut());
  await zk.sync("/");
  expect(recovered()).toBeLessThan(8_000);
  for (const path of ["/services", "/services/of", "/services/of/the", "/services/of/the/fleet"]) {
    await other.create(path);
  }
  await Promise.all(paths.map((path) => other.create(path)));
  await eventually(() => fired.size === paths.length, 20_000);
  expect(link.proxy.accepted - before).toBe(1);
}, 30_000);

test("D7: a callback that throws harms neither the others nor the client, and is reported", async () => {
  const reported: unknown[] = [];
  const zk = link.open({ onError: (error) => void reported.push(error) });
  const seen: string[] = [];
  zk.onState(() => {
    throw new Error("in a state listener");
  });
  await zk.create("/a");
  const thrower = (): never => {
    throw new Error("in a watch");
  };
  await zk.get("/a", { watch: thrower });
  await zk.get("/a", { watch: () => Promise.reject(new Error("in an asynchronous watch")) });
  await zk.get("/a", { watch: (event) => void seen.push(event.type) });
  const answered = stopwatch("D7 the next operation is answered after");
  await zk.set("/a", "1");
  await zk.set("/a", "2");
  expect(answered()).toBeLessThan(4_000);
  await eventually(() => reported.length === 3);
  expect(seen).toEqual(["data-changed"]);
  expect(reported.map((error) => (error instanceof Error ? error.message : "")).toSorted()).toEqual([
    "in a state listener",
    "in a watch",
    "in an asynchronous watch",
  ]);
});

test("D9: 20,000 events that arrive at once are handled in a moment and a small memory", async () => {
  const zk = link.open({ sessionTimeoutMs: 30_000 });
  const other = link.observe();
  let events = 0;
  await zk.addWatch("/", "persistent-recursive", () => void (events += 1));
  link.proxy.blackHoleAnswers();
  for (let batch = 0; batch < 20; batch += 1) {
    await other.multi(Array.from({ length: 1_000 }, (_, index) => op.create(`/node-${batch}-${index}`)));
  }
  Bun.gc(true);
  const before = process.memoryUsage.rss();
  const handled = stopwatch("D9 20,000 events at once handled in");
  link.proxy.resume();
  await eventually(() => events === 20_000);
  expect(handled()).toBeLessThan(4_000);
  expect(process.memoryUsage.rss() - before).toBeLessThan(150 * 1024 * 1024);
}, 20_000);
