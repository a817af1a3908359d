import { expect, test } from "bun:test";
import { chanceOf } from "./chance.ts";
import { Network } from "./network.ts";
import type { Sockets } from "./sockets.ts";
import type { End } from "./stream.ts";
import { VirtualTime } from "./time.ts";

interface Side {
  end: End | null;
  heard: string;
  closed: string | null;
  failed: string | null;
  drained: number;
}

class Pair {
  readonly time = new VirtualTime();
  readonly network: Network;
  readonly here: Sockets;
  readonly there: Sockets;
  readonly client: Side = { end: null, heard: "", closed: null, failed: null, drained: 0 };
  readonly server: Side = { end: null, heard: "", closed: null, failed: null, drained: 0 };

  constructor(seed = "seed") {
    this.network = new Network(this.time, chanceOf(seed));
    this.here = this.network.process("host");
    this.there = this.network.process("server");
    this.there.listen(80, (end) => {
      this.server.end = end;
      return this.#events(this.server);
    });
  }

  connect(): this {
    const { client } = this;
    this.here.connect("server", 80, {
      ...this.#events(client),
      opened: (end) => void (client.end = end),
      failed: (why) => void (client.failed = why),
    });
    return this.pass();
  }

  pass(ms = 10_000): this {
    this.time.run(this.time.nowMs + ms);
    return this;
  }

  say(side: Side, text: string): number {
    return side.end?.write(Buffer.from(text)) ?? -1;
  }

  #events(side: Side) {
    return {
      data: (chunk: Buffer): void => void (side.heard += chunk.toString()),
      drain: (): void => void (side.drained += 1),
      closed: (why: string): void => void (side.closed = why),
    };
  }
}

test("what is written arrives later, whole and in order, in both directions", () => {
  for (const seed of ["a", "b", "c", "d"]) {
    const pair = new Pair(seed).connect();
    for (let index = 0; index < 50; index += 1) pair.say(pair.client, `${index} `);
    pair.say(pair.server, "hello");
    expect(pair.server.heard).toBe("");
    pair.pass();
    expect(pair.server.heard).toBe(Array.from({ length: 50 }, (_, index) => `${index} `).join(""));
    expect(pair.client.heard).toBe("hello");
  }
});

test("where nobody listens, or the link is cut, a connection is refused; what is off never answers", () => {
  const none = new Pair();
  none.there.close();
  expect(none.connect().client.failed).toBe("connection refused");
  const cut = new Pair();
  cut.network.set("server", "host", { state: "cut" });
  expect(cut.connect().client.failed).toBe("the connection was reset");
  const off = new Pair();
  off.network.powerOff("server");
  expect(off.connect().client).toMatchObject({ failed: null, end: null });
});

test("a connection that is closed as soon as it is taken is known to be over at once", () => {
  for (let seed = 0; seed < 20; seed += 1) {
    const pair = new Pair(`${seed}`);
    pair.there.listen(80, () => null);
    pair.connect();
    expect(pair.client.failed ?? pair.client.closed).toBeString();
  }
});

test("a close arrives behind what was written before it", () => {
  const pair = new Pair().connect();
  pair.say(pair.client, "last words");
  pair.client.end?.terminate();
  expect(pair.say(pair.client, "more")).toBe(-1);
  pair.pass();
  expect(pair.server).toMatchObject({ heard: "last words", closed: "the other side closed the connection" });
  expect(pair.client.closed).toBeNull();
  expect(pair.network.streams.size).toBe(0);
});

test("a process that is killed is told nothing, and its peer hears of it; one that loses power tells nobody", () => {
  const killed = new Pair().connect();
  killed.here.close();
  killed.pass();
  expect([killed.client.closed, killed.server.closed]).toEqual([null, "the other side closed the connection"]);
  const dark = new Pair().connect();
  dark.network.powerOff("host");
  dark.pass(3_600_000);
  expect(dark.server.closed).toBeNull();
  dark.say(dark.server, "anybody?");
  dark.pass(3_600_000);
  expect(dark.server.closed).toBeNull();
});

test("a machine that is on again knows nothing of its old connections, and says so to who writes", () => {
  const pair = new Pair().connect();
  pair.network.powerOff("host");
  pair.pass();
  pair.network.powerOn("host");
  pair.pass();
  expect(pair.server.closed).toBeNull();
  pair.say(pair.server, "anybody?");
  pair.pass();
  expect(pair.server.closed).toBe("the connection was reset");
});

test("a cut link kills its connections at once, at both ends", () => {
  const pair = new Pair().connect();
  pair.say(pair.client, "lost");
  pair.network.set("host", "server", { state: "cut" });
  expect([pair.client.closed, pair.server.closed]).toEqual(["the connection was reset", "the connection was reset"]);
  pair.pass();
  expect(pair.server.heard).toBe("");
});

test("a link black-holed in one direction is half open: the other goes on", () => {
  const pair = new Pair().connect();
  pair.network.set("host", "server", { state: "black-holed" });
  pair.say(pair.client, "unheard");
  pair.say(pair.server, "heard");
  pair.pass(3_600_000);
  expect([pair.server.heard, pair.client.heard, pair.client.closed]).toEqual(["", "heard", null]);
});

test("after a black hole a connection goes on with nothing missing, or is never heard of again", () => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 40; seed += 1) {
    const pair = new Pair(`${seed}`).connect();
    pair.network.between("host", "server", { state: "black-holed" });
    pair.say(pair.client, "one ");
    pair.pass();
    pair.network.heal();
    pair.say(pair.client, "two ");
    pair.pass();
    outcomes.add(pair.server.heard);
  }
  expect([...outcomes].toSorted()).toEqual(["", "one two "]);
});

test("a torn link delivers a part of the next piece and no more", () => {
  const lengths = new Set<number>();
  for (let seed = 0; seed < 40; seed += 1) {
    const pair = new Pair(`${seed}`).connect();
    pair.say(pair.client, "before ");
    pair.pass();
    pair.network.set("host", "server", { torn: true });
    pair.say(pair.client, "0123456789");
    pair.say(pair.client, "after");
    pair.pass();
    expect("before 012345678".startsWith(pair.server.heard)).toBe(true);
    expect([pair.client.closed, pair.server.closed]).toEqual(["the connection was reset", "the connection was reset"]);
    lengths.add(pair.server.heard.length);
  }
  expect(lengths.size).toBeGreaterThan(5);
});

test("a slow link takes as long as its bytes need, has room for so many, and says when there is more", () => {
  const pair = new Pair().connect();
  pair.network.set("host", "server", { bytesPerSecond: 1_000 });
  const startedAt = pair.time.nowMs;
  pair.say(pair.client, "x".repeat(2_000));
  pair.time.run(Infinity, () => pair.server.heard.length === 2_000);
  expect(pair.time.nowMs - startedAt).toBeGreaterThanOrEqual(2_000);
  expect(pair.time.nowMs - startedAt).toBeLessThan(2_010);
  const taken = pair.say(pair.client, "y".repeat(1_000_000));
  expect(taken).toBeLessThan(1_000_000);
  expect(pair.say(pair.client, "z")).toBe(0);
  pair.pass(1_000_000);
  expect(pair.server.heard.length).toBe(2_000 + taken);
  expect(pair.client.drained).toBe(1);
});

test("a process that is stopped hears everything when it goes on, in order", () => {
  const pair = new Pair();
  pair.there.freeze();
  pair.connect();
  pair.say(pair.client, "hello");
  pair.client.end?.end();
  pair.pass();
  expect(pair.server).toMatchObject({ heard: "", closed: null });
  pair.there.thaw();
  expect(pair.server).toMatchObject({ heard: "hello", closed: "the other side closed the connection" });
});

test("a partition separates groups and nothing else, until it heals", () => {
  const { network } = new Pair();
  network.partition([["a", "b"], ["c"]], "cut");
  const reaches = (): boolean[] => [
    network.reaches("a", "b"),
    network.reaches("a", "c"),
    network.reaches("c", "b"),
    network.reaches("a", "other"),
  ];
  expect(reaches()).toEqual([true, false, false, true]);
  network.heal();
  expect(reaches()).toEqual([true, true, true, true]);
});
