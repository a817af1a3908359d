import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { WatchEvent } from "../../src/zookeeper/client.ts";
import { eventually } from "../harness/eventually.ts";
import { failureOf, startFaultyLink, type FaultyLink } from "../harness/zookeeper_link.ts";

let link: FaultyLink;

beforeEach(async () => {
  link = await startFaultyLink();
});

afterEach(async () => {
  await link[Symbol.asyncDispose]();
});

describe("a call", () => {
  test("ends at its deadline; a write that was sent by then has an unknown outcome", async () => {
    const zk = link.open({ operationTimeoutMs: 60 });
    await zk.create("/a", "", { timeoutMs: 5_000 });
    link.server.faults.delayMs = 300;
    const [byDefault, own] = await Promise.all([
      failureOf(zk.set("/a", "1")),
      failureOf(zk.get("/a", { timeoutMs: 20 })),
    ]);
    expect([byDefault.code, byDefault.outcome]).toEqual(["OPERATION_TIMEOUT", "unknown"]);
    expect([own.code, own.outcome]).toEqual(["OPERATION_TIMEOUT", "not-sent"]);
    link.server.faults.delayMs = 0;
    // The late answers find nobody and confuse nobody.
    expect((await zk.get("/a", { timeoutMs: 5_000 })).stat.version).toBe(1);
    expect(zk.state.kind).toBe("connected");
  });

  test("ends at its deadline while there is no connection, and is then never sent", async () => {
    const zk = link.open();
    await zk.create("/a");
    link.proxy.refuse();
    await eventually(() => zk.state.kind === "suspended");
    const error = await failureOf(zk.set("/a", "1", -1, { timeoutMs: 30 }));
    expect([error.code, error.outcome]).toEqual(["OPERATION_TIMEOUT", "not-sent"]);
    link.proxy.resume();
    expect((await zk.get("/a")).stat.version).toBe(0);
  });

  test("is called off by its signal, before and after it is sent", async () => {
    const zk = link.open();
    await zk.create("/a");
    const before = await failureOf(zk.set("/a", "1", -1, { signal: AbortSignal.abort("no more") }));
    expect([before.code, before.outcome, before.cause]).toEqual(["ABORTED", "not-sent", "no more"]);
    link.server.faults.delayMs = 200;
    const controller = new AbortController();
    const write = failureOf(zk.set("/a", "1", -1, { signal: controller.signal }));
    controller.abort("enough");
    const after = await write;
    expect([after.code, after.outcome, after.cause]).toEqual(["ABORTED", "unknown", "enough"]);
    const never = link.open({ servers: "127.0.0.1:1" });
    expect((await failureOf(never.connected({ signal: AbortSignal.timeout(20) }))).code).toBe("ABORTED");
  });

  test("that was called off leaves no watch", async () => {
    const zk = link.open();
    await zk.create("/a");
    link.server.faults.delayMs = 100;
    const seen: WatchEvent[] = [];
    await failureOf(zk.get("/a", { watch: (event) => void seen.push(event), timeoutMs: 10 }));
    link.server.faults.delayMs = 0;
    await zk.set("/a", "1");
    expect(seen).toEqual([]);
  });
});

describe("closing", () => {
  test("a client that never connected ends at once and fails what waited", async () => {
    const zk = link.open({ servers: "127.0.0.1:1" });
    const waiting = failureOf(zk.create("/a"));
    await zk.close();
    expect([(await waiting).code, (await waiting).outcome]).toEqual(["CLOSED", "not-sent"]);
    expect(zk.state.kind).toBe("closed");
  });

  test("takes the session with it on the server", async () => {
    const zk = link.open();
    await zk.connected();
    expect(link.server.sessions).toHaveLength(1);
    await zk.close();
    expect(link.server.sessions).toHaveLength(0);
    await eventually(() => link.proxy.open === 0);
  });

  test("does not wait long for a server that says nothing", async () => {
    const zk = link.open();
    await zk.connected();
    link.server.faults.dropReplies = true;
    const startedAt = performance.now();
    await zk.close();
    expect(performance.now() - startedAt).toBeLessThan(4_000);
  });
});
