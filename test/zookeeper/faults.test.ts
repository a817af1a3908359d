import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/support/clock.ts";
import type { WatchEvent } from "../../src/zookeeper/client.ts";
import { eventually } from "../harness/eventually.ts";
import { failureOf, startFaultyLink, type FaultyLink } from "../harness/zookeeper_link.ts";
import { statesOf } from "../harness/zookeeper_states.ts";

let link: FaultyLink;

beforeEach(async () => {
  link = await startFaultyLink();
});

afterEach(async () => {
  await link[Symbol.asyncDispose]();
});

describe("a broken link", () => {
  test("is kept open by pings when nothing is asked", async () => {
    // Long enough that a machine which is busy elsewhere for a moment is no lost link.
    const zk = link.open({ sessionTimeoutMs: 1_500 });
    await zk.connected();
    const states = statesOf(zk);
    const before = link.proxy.bytesToServer;
    // Eight pings of twelve bytes, a third of the timeout apart: more than twice the session's timeout.
    await eventually(() => link.proxy.bytesToServer - before >= 8 * 12);
    expect(states).toEqual([]);
    expect(link.server.sessions).toEqual([zk.sessionId]);
  }, 30_000);

  test("loses a write in the open: its outcome is unknown, a read's is not", async () => {
    const zk = link.open();
    await zk.create("/a");
    link.proxy.blackHoleAnswers();
    const write = failureOf(zk.set("/a", "1"));
    const read = failureOf(zk.get("/a"));
    const other = link.observe();
    await eventually(async () => (await other.get("/a")).stat.version === 1);
    link.proxy.cut();
    expect([(await write).code, (await write).outcome]).toEqual(["CONNECTION_LOSS", "unknown"]);
    expect([(await read).code, (await read).outcome]).toEqual(["CONNECTION_LOSS", "not-sent"]);
    expect((await write).message).toContain("not known");
  });

  test("that breaks again and again is not hammered", async () => {
    const zk = link.open();
    await zk.connected();
    const before = link.proxy.accepted;
    link.proxy.refuse();
    const startedAt = performance.now();
    await eventually(() => link.proxy.accepted - before >= 6);
    // 0 + 50 + 100 + 200 + 400 + ... with at least half of each.
    expect(performance.now() - startedAt).toBeGreaterThan(300);
  });
});

describe("a server", () => {
  test("that is down does not keep a client from the next one at once", async () => {
    const zk = link.open({
      servers: `127.0.0.1:1,127.0.0.1:2,${link.proxy.connectString}`,
      clock: { ...systemClock, random: () => 0.999_999 },
    });
    const startedAt = performance.now();
    await zk.connected();
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  test("that does not speak the protocol is left alone", async () => {
    let requests = 0;
    const impostor = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data: (socket) => {
          requests += 1;
          socket.write("HTTP/1.1 400 Bad Request\r\n\r\n");
        },
      },
    });
    try {
      const zk = link.open({ servers: `127.0.0.1:${impostor.port}` });
      await eventually(() => requests >= 2);
      expect(zk.state.kind).toBe("connecting");
    } finally {
      impostor.stop(true);
    }
  });

  test("that refuses an operation on purpose is heard with the code, the path and the outcome", async () => {
    const zk = link.open();
    link.server.faults.failOperation = ({ path }) => (path === "/a" ? "QUOTA_EXCEEDED" : undefined);
    const error = await failureOf(zk.create("/a"));
    expect([error.code, error.path, error.operation, error.outcome]).toEqual([
      "QUOTA_EXCEEDED",
      "/a",
      "create",
      "refused",
    ]);
    await zk.create("/b");
  });
});

describe("a session that expires", () => {
  test("fails what waits and what comes later, tells every watch, and says nothing else ever again", async () => {
    const zk = link.open();
    await zk.create("/e", "", { mode: "ephemeral" });
    const events: WatchEvent[] = [];
    await zk.get("/e", { watch: (event) => void events.push(event) });
    await zk.addWatch("/", "persistent-recursive", (event) => void events.push(event));
    const states = statesOf(zk);
    link.proxy.refuse();
    await eventually(() => zk.state.kind === "suspended");
    const waiting = [failureOf(zk.set("/e", "1")), failureOf(zk.get("/e"))];
    expect(link.server.expire(zk.sessionId)).toBe(true);
    link.proxy.resume();
    for (const error of await Promise.all(waiting)) {
      expect([error.code, error.outcome]).toEqual(["SESSION_EXPIRED", "not-sent"]);
    }
    expect((await failureOf(zk.get("/"))).code).toBe("SESSION_EXPIRED");
    expect((await failureOf(zk.connected())).code).toBe("SESSION_EXPIRED");
    expect((await failureOf(zk.addAuth("digest", "a:b"))).code).toBe("SESSION_EXPIRED");
    expect(states).toEqual(["suspended", "expired"]);
    expect(events).toEqual([
      { type: "lost", path: "/e" },
      { type: "lost", path: "/" },
    ]);
    const { accepted } = link.proxy;
    await zk.close();
    expect(zk.state.kind).toBe("expired");
    expect(link.proxy.accepted).toBe(accepted);
  });

  test("does so because it was not heard of in time", async () => {
    const zk = link.open({ sessionTimeoutMs: 300 });
    await zk.create("/e", "", { mode: "ephemeral" });
    link.proxy.blackHole();
    const other = link.observe();
    await eventually(async () => (await other.exists("/e")) === null);
    link.proxy.cut();
    link.proxy.resume();
    await eventually(() => zk.state.kind === "expired");
  });
});
