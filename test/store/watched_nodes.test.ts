import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { WatchedNodes } from "../../src/store/watched_nodes.ts";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { tcpDial, type Dial } from "../../src/zookeeper/dial.ts";
import { startDevServer } from "../../src/zookeeper/server/dev_server.ts";
import { Session } from "../../src/zookeeper/session.ts";
import { OpCode } from "../../src/zookeeper/wire/opcodes.ts";
import { eventually } from "../harness/eventually.ts";
import { startProxy } from "../harness/proxy.ts";
import { rejection } from "../harness/rejection.ts";
import { servers } from "./servers.ts";
import { never } from "./site.ts";

/** What the server says can be held back, so that all of it comes at once. */
class Dam {
  #held: Buffer[] | null = null;
  #deliver: (chunk: Buffer) => void = () => {};

  readonly dial: Dial = (address, options, events) => {
    this.#deliver = (chunk) => events.data(chunk);
    const data = (chunk: Buffer): void => {
      if (this.#held === null) events.data(chunk);
      else this.#held.push(Buffer.from(chunk));
    };
    return tcpDial(systemClock)(address, options, {
      data,
      drain: () => events.drain(),
      ended: (why) => events.ended(why),
    });
  };

  get heldBytes(): number {
    return (this.#held ?? []).reduce((sum, { length }) => sum + length, 0);
  }

  close(): void {
    this.#held = [];
  }

  open(): void {
    const all = Buffer.concat(this.#held ?? []);
    this.#held = null;
    this.#deliver(all);
  }
}

/** Counts what a client of this session reads from now on. */
function countReads({ client }: Session): { count: number } {
  const reads = { count: 0 };
  const get = client.get.bind(client);
  client.get = async (...asked) => {
    reads.count += 1;
    return get(...asked);
  };
  return reads;
}

describe.each(servers)("with %s", (_name, start) => {
  let server: { connectString: string } & AsyncDisposable;
  let other: ZooKeeper;
  let session: Session;
  let nodes: WatchedNodes;
  let dam: Dam;
  let changes = 0;
  let count = 0;

  beforeAll(async () => {
    server = await start();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    const chroot = `/watched-${(count += 1)}`;
    await using whole = new ZooKeeper({ clock: systemClock, servers: server.connectString });
    await whole.create(chroot);
    const servers = `${server.connectString}${chroot}`;
    other = new ZooKeeper({ clock: systemClock, servers });
    dam = new Dam();
    session = new Session({ clock: systemClock, servers, dial: dam.dial });
    changes = 0;
    nodes = new WatchedNodes(session, () => (changes += 1));
    await session.client.connected();
  });
  afterEach(async () => {
    await session.close();
    await other.close();
  });

  const textOf = async (path: string): Promise<string | null> => {
    const node = await nodes.read(path, never);
    return node === null ? null : new TextDecoder().decode(node.data);
  };
  const changed = async (by = 1): Promise<void> => {
    const before = changes;
    await eventually(() => changes >= before + by);
  };

  test("a node is read once however often it is asked for, and once more for each change", async () => {
    await other.create("/a", "one");
    const reads = countReads(session);
    for (let asked = 0; asked < 5; asked += 1) expect(await textOf("/a")).toBe("one");
    expect(reads.count).toBe(1);
    for (const [at, text] of ["two", "three", "four"].entries()) {
      const said = changed();
      await other.set("/a", text);
      await said;
      for (let asked = 0; asked < 5; asked += 1) expect(await textOf("/a")).toBe(text);
      expect(reads.count).toBe(2 + at);
    }
    // Changes that nobody asked between cost one read together.
    const said = changed(3);
    for (const text of ["five", "six", "seven"]) await other.set("/a", text);
    await said;
    expect([await textOf("/a"), reads.count]).toEqual(["seven", 5]);
  });

  test("a node that is not there, or is deleted, is known to be without a read, and so is that it comes", async () => {
    const reads = countReads(session);
    for (let asked = 0; asked < 3; asked += 1) expect(await textOf("/a")).toBeNull();
    expect(reads.count).toBe(1);
    let said = changed();
    await other.create("/a", "here");
    await said;
    expect([await textOf("/a"), reads.count]).toEqual(["here", 2]);
    said = changed();
    await other.delete("/a");
    await said;
    expect([await textOf("/a"), reads.count]).toEqual([null, 2]);
    said = changed();
    await other.create("/a", "again");
    await said;
    expect([await textOf("/a"), reads.count]).toEqual(["again", 3]);
  });

  test("what happens below a node is nothing that has changed in it", async () => {
    await other.create("/a", "one");
    expect(await textOf("/a")).toBe("one");
    const reads = countReads(session);
    await other.create("/a/child", "");
    const said = changed();
    await other.set("/a", "two");
    await said;
    expect(changes).toBe(1);
    expect([await textOf("/a"), reads.count]).toEqual(["two", 1]);
  });

  test("nodes do not disturb each other, and in doubt all are read again", async () => {
    await other.create("/a", "a");
    await other.create("/b", "b");
    expect([await textOf("/a"), await textOf("/b")]).toEqual(["a", "b"]);
    const reads = countReads(session);
    const said = changed();
    await other.set("/b", "c");
    await said;
    expect([await textOf("/a"), await textOf("/b"), reads.count]).toEqual(["a", "c", 1]);
    nodes.doubt();
    expect([await textOf("/a"), await textOf("/b"), reads.count]).toEqual(["a", "c", 3]);
  });

  test("what is of no interest any more is not listened to, and is read anew when it is again", async () => {
    await other.create("/a", "one");
    await other.create("/b", "one");
    expect([await textOf("/a"), await textOf("/b")]).toEqual(["one", "one"]);
    expect(new TextDecoder().decode(nodes.seen("/a")?.data)).toBe("one");
    nodes.keepOnly(new Set(["/b"]));
    expect(nodes.seen("/a")).toBeNull();
    await eventually(async () => !(await session.client.hasWatch("/a", "any")));
    await other.set("/a", "two");
    const said = changed();
    await other.set("/b", "two");
    await said;
    expect(changes).toBe(1);
    expect(await textOf("/a")).toBe("two");
    expect(await session.client.hasWatch("/b", "any")).toBe(true);
  });

  test("a conductor that watches the whole tree in the same session neither takes a change away nor doubles it", async () => {
    await other.create("/top", "");
    await other.create("/top/a", "one");
    const seen: string[] = [];
    const watch = await session.client.addWatch("/top", "persistent-recursive", ({ type }) => void seen.push(type));
    const reads = countReads(session);
    expect(await textOf("/top/a")).toBe("one");
    let said = changed();
    await other.set("/top/a", "two");
    await said;
    expect([await textOf("/top/a"), changes, reads.count]).toEqual(["two", 1, 2]);
    nodes.keepOnly(new Set());
    await eventually(async () => !(await session.client.hasWatch("/top/a", "data")));
    await other.set("/top/a", "three");
    await eventually(() => seen.length === 2);
    expect(await textOf("/top/a")).toBe("three");
    // And when it conducts no more.
    await watch.remove();
    said = changed();
    await other.delete("/top/a");
    await said;
    expect([await textOf("/top/a"), seen]).toEqual([null, ["data-changed", "data-changed"]]);
  });

  test("a read that fails is made again the next time", async () => {
    await other.create("/a", "one");
    expect(await textOf("/a")).toBe("one");
    const said = changed();
    await other.set("/a", "two");
    await said;
    const { client } = session;
    const get = client.get.bind(client);
    client.get = async () => {
      client.get = get;
      return client.get("/none");
    };
    // Nobody is there: that is an answer, too.
    expect(await textOf("/a")).toBeNull();
    nodes.doubt();
    client.get = async () => {
      client.get = get;
      throw new Error("lost");
    };
    expect(await rejection(nodes.read("/a", never))).toMatchObject({ message: "lost" });
    expect(await textOf("/a")).toBe("two");
  });

  test.each([
    ["changed", (zk: ZooKeeper) => zk.set("/a", "two"), "two"],
    ["deleted", (zk: ZooKeeper) => zk.delete("/a"), null],
    ["deleted and made again", async (zk: ZooKeeper) => zk.delete("/a").then(() => zk.create("/a", "two")), "two"],
  ])(
    "a node that is %s while the answer of a read is on its way is not taken for what it was",
    async (_how, change, after) => {
      await other.create("/a", "zero");
      expect(await textOf("/a")).toBe("zero");
      const said = changed();
      await other.set("/a", "one");
      await said;
      // The answer and the event that follows it arrive in one piece.
      dam.close();
      const reading = textOf("/a");
      await eventually(() => dam.heldBytes > 0);
      const answered = dam.heldBytes;
      await change(other);
      await eventually(() => dam.heldBytes > answered);
      dam.open();
      await reading;
      await eventually(() => changes > 1);
      expect(await textOf("/a")).toBe(after);
    },
  );

  test("whoever asks while somebody else is asking gets the same answer", async () => {
    await other.create("/a", "one");
    expect(await Promise.all([textOf("/a"), textOf("/a"), textOf("/a")])).toEqual(["one", "one", "one"]);
  });
});

test("a new session reads everything again, and hears of changes from then on", async () => {
  await using server = await startDevServer({ clock: systemClock, tickMs: 50 });
  await using other = new ZooKeeper({ clock: systemClock, servers: server.connectString });
  await using session = new Session({ clock: systemClock, servers: server.connectString });
  let changes = 0;
  const nodes = new WatchedNodes(session, () => (changes += 1));
  const textOf = async (path: string) => new TextDecoder().decode((await nodes.read(path, never))?.data);
  await other.create("/a", "one");
  expect(await textOf("/a")).toBe("one");
  server.expire(session.client.sessionId);
  await eventually(() => session.epoch === 2);
  await other.set("/a", "two");
  expect(await textOf("/a")).toBe("two");
  const before = changes;
  await other.set("/a", "three");
  await eventually(() => changes > before);
  expect(await textOf("/a")).toBe("three");
});

test("what changes while nobody could be reached is read again when the connection is back", async () => {
  await using server = await startDevServer({ clock: systemClock });
  await using proxy = await startProxy(server.port);
  await using other = new ZooKeeper({ clock: systemClock, servers: server.connectString });
  await using session = new Session({ clock: systemClock, servers: proxy.connectString });
  let changes = 0;
  const nodes = new WatchedNodes(session, () => (changes += 1));
  const textOf = async (path: string) => new TextDecoder().decode((await nodes.read(path, never))?.data);
  await other.create("/a", "one");
  expect(await textOf("/a")).toBe("one");
  proxy.refuse();
  await eventually(() => session.state.kind !== "connected");
  await other.set("/a", "two");
  proxy.resume();
  await eventually(() => changes > 0);
  expect(await textOf("/a")).toBe("two");
});

test("a server that knows no watch that stays is asked for one with each read, and nothing is missed", async () => {
  await using server = await startDevServer({ clock: systemClock });
  server.faults.failOperation = ({ opcode }) => (opcode === OpCode.addWatch ? "UNIMPLEMENTED" : undefined);
  await using other = new ZooKeeper({ clock: systemClock, servers: server.connectString });
  await using session = new Session({ clock: systemClock, servers: server.connectString });
  let changes = 0;
  const nodes = new WatchedNodes(session, () => (changes += 1));
  const textOf = async (path: string) => {
    const node = await nodes.read(path, never);
    return node === null ? null : new TextDecoder().decode(node.data);
  };
  expect(await textOf("/a")).toBeNull();
  for (const change of [
    async () => other.create("/a", "one").then(() => "one"),
    async () => other.set("/a", "two").then(() => "two"),
    async () => other.delete("/a").then(() => null),
    async () => other.create("/a", "three").then(() => "three"),
  ]) {
    const before = changes;
    const text = await change();
    await eventually(() => changes > before);
    expect(await textOf("/a")).toBe(text);
  }
});
