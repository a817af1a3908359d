import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { JuteReader, JuteWriter } from "../../src/zookeeper/wire/jute.ts";
import {
  readConnectRequest,
  writeConnectResponse,
  type ConnectRequest,
} from "../../src/zookeeper/wire/handshake_records.ts";
import { Session } from "../../src/zookeeper/session.ts";
import { eventually } from "../harness/eventually.ts";
import { framed } from "../harness/framed.ts";
import { freePort } from "../harness/ports.ts";
import { startZooKeeper } from "../harness/zookeeper.ts";
import { failureOf, startFaultyLink, type FaultyLink } from "../harness/zookeeper_link.ts";
import { statesOf } from "../harness/zookeeper_states.ts";

/** A server that answers handshakes and requests as the test says. */
interface Scripted extends Disposable {
  readonly port: number;
  readonly connectString: string;
  /** The handshakes that came. */
  readonly asked: ConnectRequest[];
}

function scripted(
  answers: {
    readonly session: (request: ConnectRequest, count: number) => Buffer | null;
    readonly request?: (xid: number, opcode: number) => Buffer | null;
  },
  port = 0,
): Scripted {
  const asked: ConnectRequest[] = [];
  const listener = Bun.listen<{ greeted: boolean }>({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (socket) => void (socket.data = { greeted: false }),
      data: (socket, chunk) => {
        for (let at = 0; at + 4 <= chunk.length;) {
          const size = chunk.readInt32BE(at);
          const reader = new JuteReader(chunk, at + 4, at + 4 + size);
          at += 4 + size;
          let answer: Buffer | null | undefined;
          if (socket.data.greeted) answer = answers.request?.(reader.int(), reader.int());
          else {
            socket.data.greeted = true;
            asked.push(readConnectRequest(reader));
            answer = answers.session(asked.at(-1) as ConnectRequest, asked.length);
            if (answer === null) socket.terminate();
          }
          if (answer !== null && answer !== undefined) socket.write(framed(answer));
        }
      },
    },
  });
  return {
    port: listener.port,
    connectString: `127.0.0.1:${listener.port}`,
    asked,
    [Symbol.dispose]: () => listener.stop(true),
  };
}

function granted(fields: Partial<{ timeoutMs: number; sessionId: bigint }> = {}): Buffer {
  const writer = new JuteWriter();
  writeConnectResponse(writer, {
    timeoutMs: 1_000,
    sessionId: 7n,
    password: new Uint8Array(16).fill(1),
    readOnly: false,
    ...fields,
  });
  return Buffer.from(writer.written);
}

const reply = (xid: number, zxid: bigint, error = 0): Buffer =>
  Buffer.from(new JuteWriter().int(xid).long(zxid).int(error).written);

let link: FaultyLink;

beforeEach(async () => {
  link = await startFaultyLink();
});

afterEach(async () => {
  await link[Symbol.asyncDispose]();
});

describe("a client that no server answers", () => {
  test("for longer than its session lasts has none any more, fails what waits, and says why", async () => {
    const zk = link.open({ sessionTimeoutMs: 400 });
    await zk.create("/a");
    const states = statesOf(zk);
    link.proxy.refuse();
    await eventually(() => zk.state.kind === "suspended");
    const error = await failureOf(zk.set("/a", "1"));
    expect([error.code, error.outcome]).toEqual(["SESSION_EXPIRED", "not-sent"]);
    expect(error.message).toContain("out of reach for longer than its timeout of 400 ms");
    expect(states).toEqual(["suspended", "expired"]);
    if (zk.state.kind !== "expired") throw new Error(zk.state.kind);
    expect(zk.state.reason).toContain(link.proxy.connectString);
  });

  test("for a shorter time, again and again, keeps its session", async () => {
    const zk = link.open({ sessionTimeoutMs: 2_000 });
    await zk.create("/e", "", { mode: "ephemeral" });
    for (let round = 0; round < 4; round += 1) {
      link.proxy.refuse();
      const { accepted } = link.proxy;
      const since = performance.now();
      // All rounds together are longer than the session lasts.
      await eventually(() => link.proxy.accepted > accepted && performance.now() - since > 700);
      expect(zk.state.kind).toBe("suspended");
      link.proxy.resume();
      await eventually(() => zk.state.kind === "connected");
    }
    expect((await zk.get("/e")).stat.ephemeralOwner).toBe(zk.sessionId);
  }, 20_000);

  test("and has no session yet waits for one for as long as it takes", async () => {
    link.proxy.refuse();
    const zk = link.open({ sessionTimeoutMs: 400 });
    const asked = zk.create("/a");
    const { accepted } = link.proxy;
    await eventually(() => link.proxy.accepted - accepted >= 12);
    expect(zk.state.kind).toBe("connecting");
    link.proxy.resume();
    await asked;
  });
});

describe("a server that has lost its data", () => {
  test("has its clients back, with new sessions, within twice their timeout", async () => {
    const port = await freePort();
    const sessions: Session[] = [];
    let old = await startZooKeeper({ port });
    try {
      for (let index = 0; index < 4; index += 1) {
        sessions.push(
          new Session({ clock: systemClock, servers: `127.0.0.1:${port}`, sessionTimeoutMs: 3_000, onError: () => {} }),
        );
      }
      for (const [index, session] of sessions.entries()) await session.ephemeral(`/mine-${index}`, "");
      for (let round = 0; round < 30; round += 1) await sessions[0]?.client.create(`/${round}`);
      for (const session of sessions) await session.client.sync("/").then(() => session.client.exists("/29"));
      await old.stop();
      old = await startZooKeeper({ port });
      const backAt = performance.now();
      await eventually(
        async () =>
          (
            await Promise.all(
              sessions.map(async (session, index) => {
                if (session.epoch !== 2) return false;
                return (await session.client.exists(`/mine-${index}`))?.ephemeralOwner === session.client.sessionId;
              }),
            )
          ).every(Boolean),
        6_000,
      );
      expect(performance.now() - backAt).toBeLessThan(6_000);
    } finally {
      await Promise.all(sessions.map((each) => each.close()));
      await old.stop();
    }
  }, 60_000);

  test("is named as a reason while it refuses, and in the epoch that follows", async () => {
    using server = scripted({
      session: (request) => (request.lastZxidSeen > 0n ? null : granted({ timeoutMs: 600 })),
      request: (xid) => reply(xid, 99n, -101),
    });
    await using session = new Session({ clock: systemClock, servers: server.connectString, onError: () => {} });
    expect(await session.client.exists("/a")).toBeNull();
    const reasons: string[] = [];
    session.onEpoch((_epoch, reason) => void reasons.push(reason));
    server[Symbol.dispose]();
    using back = scripted({ session: (request) => (request.lastZxidSeen > 0n ? null : granted()) }, server.port);
    await eventually(() => session.state.kind === "suspended" && session.state.reason.includes("zxid 0x63"));
    await eventually(() => session.epoch === 2 && session.state.kind === "connected");
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).toContain("lost data");
    expect(back.asked.at(-1)).toMatchObject({ lastZxidSeen: 0n, sessionId: 0n });
  });
});

describe("a server that answers with", () => {
  test("another session than the one that was asked for has none of ours: it is over", async () => {
    using server = scripted({ session: (_request, count) => granted({ sessionId: BigInt(count) }) });
    const zk = link.open({ servers: server.connectString });
    await zk.connected();
    const states = statesOf(zk);
    await eventually(() => states.at(-1) === "expired");
    expect(states).toEqual(["suspended", "expired"]);
    expect(server.asked[1]?.sessionId).toBe(1n);
    if (zk.state.kind === "expired") expect(zk.state.reason).toContain("0x2 instead of 0x1");
  }, 20_000);

  test("another session begins an epoch each time", async () => {
    using server = scripted({ session: (_request, count) => granted({ sessionId: BigInt(count), timeoutMs: 300 }) });
    await using session = new Session({ clock: systemClock, servers: server.connectString, onError: () => {} });
    const reasons: string[] = [];
    session.onEpoch((_epoch, reason) => void reasons.push(reason));
    await eventually(() => session.epoch >= 3);
    expect(reasons.slice(0, 2)).toEqual([
      "the server gave session 0x2 instead of 0x1",
      "the server gave session 0x4 instead of 0x3",
    ]);
  }, 20_000);

  test.each([
    ["no session at all though a new one was asked for", granted({ timeoutMs: 0, sessionId: 0n })],
    ["session 0", granted({ sessionId: 0n })],
    ["a negative time", granted({ timeoutMs: -5 })],
    ["more than a handshake has", Buffer.concat([granted(), Buffer.from("more")])],
    ["another protocol", Buffer.concat([Buffer.from([0, 0, 0, 9]), granted().subarray(4)])],
  ])("%s is no server, and is asked again after a wait", async (_name, answer) => {
    using server = scripted({ session: () => answer });
    await using session = new Session({ clock: systemClock, servers: server.connectString, onError: () => {} });
    const startedAt = performance.now();
    await eventually(() => server.asked.length >= 6);
    expect(performance.now() - startedAt).toBeGreaterThan(100);
    expect([session.epoch, session.state.kind]).toEqual([1, "connecting"]);
  });

  test("numbers of transactions in answers that make no sense teaches a client nothing", async () => {
    for (const nonsense of [
      (xid: number) => reply(xid + 1_000, 0x7000_0000_0000_0000n),
      // A stat was asked for, and the record ends before it.
      (xid: number) => reply(xid, 0x7000_0000_0000_0000n),
      (xid: number) => reply(xid, -5n, -101),
    ]) {
      using server = scripted({ session: () => granted(), request: nonsense });
      await using zk = new ZooKeeper({ clock: systemClock, servers: server.connectString });
      await zk.exists("/a").catch(() => undefined);
      const connections = server.asked.length;
      if (zk.state.kind === "connected") continue;
      await eventually(() => server.asked.length > connections);
      expect(server.asked.map((each) => each.lastZxidSeen)).toEqual(server.asked.map(() => 0n));
    }
  });
});
