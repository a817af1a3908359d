import { describe, expect, test } from "bun:test";
import type { ZooKeeper } from "../../../src/zookeeper/client.ts";
import { isZooKeeperError, ZooKeeperError } from "../../../src/zookeeper/errors.ts";
import { Stage } from "./stage.ts";

const seeds = Array.from({ length: 10 }, (_, index) => `seed ${index}`);

async function codeOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => "ok",
    (error: unknown) => (isZooKeeperError(error) ? `${error.code} ${error.outcome}` : String(error)),
  );
}

/** Asks again for as long as the connection is lost in the middle. */
async function insist<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isZooKeeperError(error, "CONNECTION_LOSS")) throw error;
    }
  }
}

/** The index of the server a client speaks to. */
function serverOf(stage: Stage, zk: ZooKeeper): number {
  const { state } = zk;
  const host = state.kind === "connected" ? state.server.split(":")[0] : "";
  return stage.ensemble.servers.findIndex(({ name }) => stage.network.ipOf(name) === host);
}

function leaderOf(stage: Stage): number {
  return stage.ensemble.servers.findIndex((each) => each === stage.ensemble.leader);
}

/** A client that speaks to a server of our choice. */
async function clientOf(stage: Stage, machine: string, index: number): Promise<ZooKeeper> {
  const servers = stage.ensemble.connectString.split(",")[index] ?? "";
  const zk = stage.client(machine, {}, { servers });
  await zk.connected();
  return zk;
}

function followerOf(stage: Stage): number {
  return (leaderOf(stage) + 1) % stage.ensemble.servers.length;
}

describe("reads", () => {
  test("at a server that lags are old, after a sync they are not, and a writer sees its own writes", () => {
    let stale = 0;
    for (const seed of seeds) {
      const stage = new Stage(seed, 3);
      const behind = followerOf(stage);
      stage.ensemble.setLag(behind, 500);
      stage.play(async () => {
        const writer = await clientOf(stage, "host-1", leaderOf(stage));
        const reader = await clientOf(stage, "host-2", behind);
        await writer.create("/a", "0");
        await reader.sync("/a");
        for (let index = 1; index <= 5; index += 1) {
          await writer.set("/a", `${index}`);
          if ((await reader.get("/a")).stat.version < index) stale += 1;
          await reader.sync("/a");
          expect((await reader.get("/a")).stat.version).toBe(index);
        }
        expect((await reader.set("/a", "mine")).version).toBe(6);
        expect((await reader.get("/a")).stat.version).toBe(6);
      });
    }
    expect(stale).toBeGreaterThan(25);
  });
});

describe("a session", () => {
  test("goes on at another server with its ephemeral nodes and its watches", () => {
    for (const seed of seeds) {
      const stage = new Stage(seed, 3);
      stage.play(async () => {
        const zk = stage.client("host-1");
        const other = stage.client("host-2");
        await zk.create("/mine", "", { mode: "ephemeral" });
        await zk.create("/seen", "0");
        const events: string[] = [];
        await zk.get("/seen", { watch: ({ type }) => void events.push(type) });
        const [session, before] = [zk.sessionId, serverOf(stage, zk)];
        stage.network.between("host-1", `zk-${before + 1}`, { state: "black-holed" });
        await other.set("/seen", "while nobody looked");
        await stage.until(() => serverOf(stage, zk) !== before && zk.state.kind === "connected");
        expect(zk.sessionId).toBe(session);
        await stage.until(() => events.length > 0);
        expect(events).toEqual(["data-changed"]);
        expect((await other.exists("/mine"))?.ephemeralOwner).toBe(session);
      });
    }
  });

  test("that is not heard of any more ends after its time and not before, and its nodes with it", () => {
    for (const seed of seeds) {
      const stage = new Stage(seed, 3);
      stage.play(async () => {
        const zk = stage.client("host-1");
        await zk.create("/mine", "", { mode: "ephemeral" });
        await stage.sleep(stage.chance.between(0, 20_000));
        await zk.get("/mine");
        const lastHeardMs = stage.time.nowMs;
        stage.network.powerOff("host-1");
        await stage.until(() => stage.ensemble.read("/mine") === undefined);
        expect(stage.time.nowMs - lastHeardMs).toBeGreaterThan(5_990);
        expect(stage.time.nowMs - lastHeardMs).toBeLessThan(7_000);
      });
    }
  });

  test("is given its time anew by a new leader, and its client, who hears of nothing, begins another", () => {
    for (const seed of seeds) {
      const stage = new Stage(seed, 3);
      stage.play(async () => {
        const session = stage.session("host-1");
        await session.ephemeral("/mine", "here");
        const states: string[] = [];
        session.onState(({ kind }) => void states.push(kind));
        const { sessionId } = session.client;
        stage.network.partition([["host-1"], ["zk-1", "zk-2", "zk-3"]]);
        await stage.sleep(4_000);
        stage.ensemble.changeLeader();
        await stage.sleep(5_000);
        expect(stage.ensemble.read("/mine")?.stat.ephemeralOwner).toBe(sessionId);
        await stage.until(() => stage.ensemble.read("/mine") === undefined);
        stage.network.heal();
        await stage.until(() => stage.ensemble.read("/mine") !== undefined);
        expect(session.epoch).toBe(2);
        expect(stage.ensemble.read("/mine")?.stat.ephemeralOwner).toBe(session.client.sessionId);
        expect(states).toEqual(["suspended", "connecting", "connected"]);
      });
    }
  });

  test("that has ended gets nothing done any more, however early it asked", () => {
    for (const seed of seeds) {
      const stage = new Stage(seed, 3);
      stage.play(async () => {
        for (let round = 0; round < 20; round += 1) {
          const zk = await clientOf(stage, "host-1", followerOf(stage));
          const works = Array.from({ length: 20 }, async (_, index) => {
            await stage.sleep(index / 10);
            return await codeOf(zk.create("/mine-", "", { mode: "ephemeral-sequential" }));
          });
          await stage.sleep(2 * stage.chance.random());
          stage.ensemble.expire(zk.sessionId);
          await Promise.all(works);
          await stage.sleep(1_000);
          expect(stage.ensemble.sessions).not.toContain(zk.sessionId);
          expect(stage.ensemble.children("/")).toEqual(["zookeeper"]);
        }
      });
    }
  });

  test("lives as long as it is heard of, over changes of the leader and through any server", () => {
    for (const seed of seeds) {
      const stage = new Stage(seed, 3);
      const sessions = [1, 2, 3, 4].map((number) => stage.session(`host-${number}`));
      stage.play(async () => {
        for (let round = 0; round < 20; round += 1) {
          stage.ensemble.changeLeader();
          await stage.sleep(30_000);
        }
      }, 1e9);
      expect(sessions.map(({ epoch, state }) => [epoch, state.kind])).toEqual(sessions.map(() => [1, "connected"]));
    }
  });
});

describe("a change of the leader", () => {
  test("costs every client its connection, and nobody is served until the next one leads", () => {
    for (const seed of seeds) {
      const stage = new Stage(seed, 3);
      const clients = [0, 1, 2].map((index) => stage.client(`host-${index}`));
      stage.play(async () => {
        for (const zk of clients) await zk.connected();
        const before = leaderOf(stage);
        stage.ensemble.changeLeader();
        const changedAtMs = stage.time.nowMs;
        await stage.until(() => clients.every(({ state }) => state.kind === "suspended"));
        expect(stage.ensemble.leader === null).toBe(true);
        await stage.until(() => clients.every(({ state }) => state.kind === "connected"));
        expect(leaderOf(stage)).not.toBe(before);
        expect(stage.time.nowMs - changedAtMs).toBeGreaterThan(150);
        expect(stage.time.nowMs - changedAtMs).toBeLessThan(5_000);
        expect((await clients[0]?.create("/a"))?.stat.czxid).toBeGreaterThan(2n << 32n);
      });
    }
  });

  test("loses what no majority had, or keeps it, and its client cannot know which", () => {
    const outcomes = new Map<string, number>();
    for (let seed = 0; seed < 60; seed += 1) {
      const stage = new Stage(`${seed}`, 3);
      stage.play(async () => {
        const zk = stage.client("host-1", {}, { operationTimeoutMs: 20_000 });
        await zk.create("/a", "0");
        const outcome = codeOf(zk.set("/a", "1"));
        await stage.sleep(0.8 + stage.chance.random());
        stage.ensemble.crash(leaderOf(stage), stage.chance.pick(["process", "power"] as const));
        const what = await outcome;
        await insist(() => zk.sync("/a"));
        const kept = (await zk.get("/a")).stat.version === 1;
        outcomes.set(`${what} ${kept}`, (outcomes.get(`${what} ${kept}`) ?? 0) + 1);
      });
    }
    expect([...outcomes.keys()].toSorted()).toEqual([
      "CONNECTION_LOSS unknown false",
      "CONNECTION_LOSS unknown true",
      "ok true",
    ]);
  });

  test("by a leader that is cut off from the majority leaves nobody served by it", () => {
    for (const seed of seeds) {
      const stage = new Stage(seed, 5);
      stage.play(async () => {
        const old = leaderOf(stage);
        const names = stage.ensemble.servers.map(({ name }) => name);
        const apart = await clientOf(stage, "host-1", old);
        await apart.create("/a");
        stage.network.partition([[names[old] ?? ""], names.filter((_, index) => index !== old)]);
        const lost = codeOf(apart.set("/a", "to the old one"));
        const zk = stage.client("host-2");
        expect(await lost).toBe("CONNECTION_LOSS unknown");
        await zk.set("/a", "to the new one");
        expect(leaderOf(stage)).not.toBe(old);
        await stage.sleep(20_000);
        // All that time nobody who counts has heard of it.
        expect(stage.ensemble.sessions).not.toContain(apart.sessionId);
        expect(apart.state.kind).toBe("expired");
        stage.network.heal();
        expect((await stage.client("host-1").get("/a")).stat.version).toBe(1);
      });
    }
  });
});

describe("a server", () => {
  test("that is stopped is left by its clients and by the others, and comes back to them", () => {
    for (const seed of seeds) {
      const stage = new Stage(seed, 3);
      stage.play(async () => {
        const old = leaderOf(stage);
        const zk = await clientOf(stage, "host-1", old);
        const other = stage.client("host-2");
        await zk.create("/a");
        stage.ensemble.freeze(old);
        await stage.until(() => stage.ensemble.leader !== null);
        await insist(() => other.set("/a", "1"));
        await stage.until(() => zk.state.kind === "suspended");
        stage.ensemble.thaw(old);
        await insist(() => zk.sync("/a"));
        expect((await zk.get("/a")).stat.version).toBe(1);
      });
    }
  });

  test("that was down, or restarts from what it once wrote down, catches up before it serves", () => {
    for (const from of ["as it was", "a snapshot"] as const) {
      const stage = new Stage(from, 3);
      stage.play(async () => {
        const down = followerOf(stage);
        const zk = await clientOf(stage, "host-1", leaderOf(stage));
        for (let index = 0; index < 300; index += 1) await zk.create(`/a${index}`);
        stage.ensemble.crash(down);
        for (let index = 0; index < 50; index += 1) await zk.create(`/b${index}`);
        stage.ensemble.restart(down, from);
        const back = await clientOf(stage, "host-2", down);
        expect((await back.children("/")).children.length).toBe(351);
      });
    }
  });

  test("that is alone serves nobody until a majority is back", () => {
    const stage = new Stage("alone", 3);
    stage.play(async () => {
      const session = stage.session("host-1");
      await session.client.create("/a");
      const before = session.client.sessionId;
      stage.ensemble.crash(0);
      stage.ensemble.crash(1, "power");
      await stage.sleep(3_000);
      expect([session.state.kind, stage.ensemble.leader === null]).toEqual(["suspended", true]);
      await stage.sleep(20_000);
      expect([session.state.kind, session.epoch]).toEqual(["connecting", 2]);
      stage.ensemble.restart(1);
      await session.client.set("/a", "1");
      expect(session.client.sessionId).not.toBe(before);
    });
  });
});

describe("a disaster", () => {
  test("that leaves nothing leaves nothing, and a client of before is back within twice its session's timeout", () => {
    const stage = new Stage("empty", 3);
    stage.play(async () => {
      const before = stage.session("host-1");
      await before.client.create("/a");
      for (let index = 0; index < 10; index += 1) await before.client.set("/a", "");
      stage.ensemble.loseEverything();
      const lostAtMs = stage.time.nowMs;
      const reasons: string[] = [];
      before.onEpoch((_epoch, reason) => void reasons.push(reason));
      expect(await stage.client("host-2").exists("/a")).toBeNull();
      expect(before.epoch).toBe(1);
      await stage.until(() => before.epoch === 2 && before.state.kind === "connected");
      expect(stage.time.nowMs - lostAtMs).toBeLessThan(2 * 6_000);
      expect(await before.client.exists("/a")).toBeNull();
      expect(reasons.join()).toContain("lost data");
    });
  });

  test("that brings an older state back takes the numbers of transactions back too", () => {
    const stage = new Stage("older", 3);
    stage.play(async () => {
      const zk = stage.client("host-1");
      await zk.create("/a", "0");
      const snapshot = stage.ensemble.snapshot();
      const { mzxid } = await zk.set("/a", "1");
      stage.ensemble.changeLeader();
      await insist(() => zk.create("/b"));
      stage.ensemble.restoreSnapshot(snapshot);
      const fresh = stage.client("host-2");
      expect(Buffer.from((await fresh.get("/a")).data).toString()).toBe("0");
      expect(await fresh.exists("/b")).toBeNull();
      expect((await fresh.get("/a")).stat.mzxid).toBeLessThan(mzxid);
    });
  });
});

test("a request may be lost before it leaves, or its answer after", () => {
  for (const verdict of ["cut before", "cut after"] as const) {
    const stage = new Stage(verdict, 3);
    const seen: string[] = [];
    stage.play(async () => {
      const zk = stage.client("host-1", {
        onRequest: ({ name, path, isWrite }) => {
          seen.push(`${name} ${path}`);
          return isWrite && name === "multi" ? verdict : "pass";
        },
        onSent: ({ name }) => void seen.push(`sent ${name}`),
      });
      await zk.create("/a", "x".repeat(900_000));
      const error: unknown = await zk
        .multi([{ type: "delete", path: "/a", version: -1 }])
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ZooKeeperError);
      expect(isZooKeeperError(error, "CONNECTION_LOSS") && error.outcome).toBe("unknown");
      expect((await zk.exists("/a")) === null).toBe(verdict === "cut after");
    });
    expect(seen).toEqual([
      "create2 /a",
      "sent create2",
      "multi /a",
      ...(verdict === "cut after" ? ["sent multi"] : []),
      "exists /a",
      "sent exists",
    ]);
  }
});

test("every change is told when it is committed, with what it changed, and can be looked at", () => {
  const stage = new Stage("commits", 3);
  const told: string[] = [];
  stage.ensemble.onCommit(({ request, changes, refused, zxid, atMs }) => {
    expect([zxid > 0n, atMs]).toEqual([true, stage.time.nowMs]);
    const paths = changes.map(({ type, path }) => `${type} ${path} ${stage.ensemble.read(path)?.stat.version}`);
    told.push(`${request.kind}${refused ? " refused" : ""} ${paths.join()}`);
  });
  stage.play(async () => {
    const zk = stage.client("host-1");
    await zk.create("/a", "", { mode: "ephemeral" });
    await zk.set("/a", "1");
    await codeOf(zk.set("/none", "1"));
    await zk.close();
    await stage.until(() => stage.ensemble.sessions.length === 0);
  });
  expect(told).toEqual([
    "open-session ",
    "write created /a 0",
    "write data-changed /a 1",
    "write refused ",
    "close-session deleted /a undefined",
  ]);
  expect(stage.ensemble.paths()).not.toContain("/a");
  expect(stage.ensemble.children("/")).toEqual(["zookeeper"]);
});
