import { describe, expect, test } from "bun:test";
import { systemClock } from "../../src/support/clock.ts";
import { AddressBook, systemLookup } from "../../src/zookeeper/connection/address_book.ts";
import { addressName } from "../../src/zookeeper/dial.ts";
import type { Lookup } from "../../src/zookeeper/options.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { HostRound, pausesOf, type Turn } from "../../src/zookeeper/connection/host_round.ts";
import { startDevServer } from "../../src/zookeeper/server/dev_server.ts";
import { eventually } from "../harness/eventually.ts";
import { startProxy } from "../harness/proxy.ts";
import { statesOf } from "../harness/zookeeper_states.ts";

function fixed(addresses: Readonly<Record<string, readonly string[]>>): Lookup {
  return async (host) => {
    const found = addresses[host];
    if (found === undefined) throw new Error(`no such host: ${host}`);
    return found;
  };
}

interface RoundUnderTest {
  readonly round: HostRound;
  /** The waits so far, in milliseconds; nothing is really waited for. */
  readonly waits: number[];
}

function roundOf(
  hosts: readonly string[],
  lookup: Lookup,
  { random = Math.random, afterLoss = false }: { random?: () => number; afterLoss?: boolean } = {},
): RoundUnderTest {
  const servers = hosts.map((host) => ({ host, port: 1 }));
  const waits: number[] = [];
  const after = (ms: number, work: () => void): (() => void) => {
    waits.push(ms);
    work();
    return () => undefined;
  };
  const book = new AddressBook(servers, lookup, systemClock, 100);
  const round = new HostRound(book, { random, after }, () => ({ firstMs: 50, mostMs: 300 }), afterLoss);
  return { round, waits };
}

const endless = new AbortController().signal;

async function turns({ round, waits }: RoundUnderTest, count: number): Promise<(Turn & { delayMs: number })[]> {
  const taken: (Turn & { delayMs: number })[] = [];
  for (let index = 0; index < count; index += 1) {
    const before = waits.length;
    const turn = await round.next(endless);
    taken.push({ ...turn, delayMs: waits.slice(before).reduce((sum, ms) => sum + ms, 0) });
  }
  return taken;
}

function ipOf({ address }: Turn): string {
  return "unknown" in address ? `unknown: ${address.unknown}` : address.ip;
}

const three = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
const none = fixed({});

describe("a round of hosts", () => {
  test("tries each once without delay, then waits before each pass, longer and longer up to the limit", async () => {
    const tries = await turns(roundOf(three, none, { random: () => 1 }), 24);
    expect(new Set(tries.slice(0, 3).map(ipOf))).toEqual(new Set(three));
    expect(tries.map((each) => each.delayMs)).toEqual(
      [0, 50, 100, 200, 300, 300, 300, 300].flatMap((delayMs) => [delayMs, 0, 0]),
    );
    expect(tries.slice(0, 6).map((each) => each.last)).toEqual([false, false, true, false, false, true]);
  });

  test("starts over after a success with the shortest wait, and tries last the server that was used last", async () => {
    const tested = roundOf(three, none, { random: () => 0.5 });
    const used = (await turns(tested, 7)).at(-1);
    tested.round.succeeded();
    const again = await turns(tested, 4);
    expect(again.map((each) => each.delayMs)).toEqual([25, 0, 0, 50]);
    expect(again[2]?.address).toEqual(used?.address ?? { unknown: "nothing" });
  });

  test("waits before its very first pass too when that follows a loss", async () => {
    expect((await turns(roundOf(three, none, { random: () => 0.5, afterLoss: true }), 1))[0]?.delayMs).toBe(25);
  });

  test("spreads those who lost the same server over the whole of the first window, evenly", async () => {
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let index = 0; index < 2_000; index += 1) {
      const [first] = await turns(roundOf(three, none, { afterLoss: true }), 1);
      const tenth = Math.floor((first?.delayMs ?? Number.NaN) / 5);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    expect(tenths).toHaveLength(10);
    // 200 are expected in each; six times the deviation of such a count, 13, is never reached.
    for (const count of tenths) expect(Math.abs(count - 200)).toBeLessThan(80);
  });

  test("asks for the addresses after the wait, not before it", async () => {
    const order: string[] = [];
    const lookup = async (): Promise<readonly string[]> => {
      order.push("lookup");
      return ["10.0.0.1"];
    };
    const book = new AddressBook([{ host: "zk", port: 1 }], lookup, systemClock, 100);
    const after = (_ms: number, work: () => void): (() => void) => {
      order.push("wait");
      work();
      return () => undefined;
    };
    const round = new HostRound(book, { random: () => 0.5, after }, () => pausesOf(10_000), true);
    await round.next(endless);
    expect(order).toEqual(["wait", "lookup"]);
  });

  test("ends its wait when it is called off", async () => {
    const calledOff = new AbortController();
    const book = new AddressBook([{ host: "10.0.0.1", port: 1 }], none, systemClock, 100);
    const clock = { random: () => 0.5, after: () => () => undefined };
    const next = new HostRound(book, clock, () => pausesOf(10_000), true).next(calledOff.signal);
    calledOff.abort();
    expect(await next).toEqual({ address: { unknown: "closed" }, last: true });
  });

  test("never waits so long that a session could end meanwhile, and at first not so long that somebody notices", () => {
    for (const timeoutMs of [400, 4_000, 10_000, 40_000, 120_000]) {
      const { firstMs, mostMs } = pausesOf(timeoutMs);
      expect(firstMs).toBeLessThanOrEqual(Math.min(300, timeoutMs / 30));
      // A server can have died a third of the timeout after it last heard of us.
      expect(timeoutMs / 3 + firstMs + mostMs).toBeLessThanOrEqual((timeoutMs * 2) / 3);
    }
  });

  test("differs between clients", async () => {
    const orders = new Set<string>();
    for (let index = 0; index < 200; index += 1) {
      orders.add((await turns(roundOf(three, none), 3)).map(ipOf).join());
    }
    expect(orders.size).toBe(6);
  });
});

describe("names", () => {
  test("stand for all their addresses, each tried once a pass, and none twice", async () => {
    const round = roundOf(["zk", "alias", "::1"], fixed({ zk: ["10.0.0.1", "fe80::1"], alias: ["10.0.0.1"] }));
    const pass = await turns(round, 3);
    expect(pass.map(ipOf).toSorted()).toEqual(["10.0.0.1", "::1", "fe80::1"]);
    expect(pass.at(-1)?.last).toBe(true);
  });

  test("are looked up again for every pass", async () => {
    const addresses: Record<string, string[]> = { zk: ["10.0.0.1"] };
    const tested = roundOf(["zk"], fixed(addresses));
    const [first] = await turns(tested, 1);
    addresses["zk"] = ["10.0.0.2", "10.0.0.3"];
    expect([ipOf(first as Turn), ...(await turns(tested, 2)).map(ipOf).toSorted()]).toEqual(three);
    tested.round.succeeded();
    addresses["zk"] = ["10.0.0.4"];
    expect((await turns(tested, 1)).map(ipOf)).toEqual(["10.0.0.4"]);
  });

  test("keep their last addresses while they cannot be looked up, be it refused, silent or empty", async () => {
    let answer: () => Promise<readonly string[]> = async () => ["10.0.0.1"];
    const tested = roundOf(["zk"], () => answer());
    await turns(tested, 1);
    for (const outage of [
      (): Promise<readonly string[]> => Promise.reject(new Error("SERVFAIL")),
      (): Promise<readonly string[]> => Promise.withResolvers<readonly string[]>().promise,
      (): Promise<readonly string[]> => Promise.resolve([]),
    ]) {
      answer = outage;
      expect((await turns(tested, 1)).map(ipOf)).toEqual(["10.0.0.1"]);
    }
  });

  test("that are unknown leave the others usable, and when all are the try says so and the next waits", async () => {
    const some = await turns(roundOf(["gone", "10.0.0.1"], none), 1);
    expect([ipOf(some[0] as Turn), some[0]?.last]).toEqual(["10.0.0.1", true]);
    const all = await turns(roundOf(["gone"], none), 2);
    expect(ipOf(all[0] as Turn)).toContain("no such host: gone");
    expect(all[1]?.delayMs).toBeGreaterThan(0);
  });

  test("are shown with the address that is used", () => {
    expect(addressName({ server: { host: "zk", port: 1 }, ip: "10.0.0.1" })).toBe("zk:1 (10.0.0.1)");
    expect(addressName({ server: { host: "::1", port: 1 }, ip: "::1" })).toBe("[::1]:1");
  });

  test("are looked up by the system, IPv4 and IPv6", async () => {
    expect(await systemLookup("localhost")).toContain("127.0.0.1");
  });
});

describe("a client", () => {
  test("follows a name to another address, with its session", async () => {
    await using server = await startDevServer({ clock: systemClock });
    await using proxy = await startProxy(server.port);
    let ips = ["127.0.0.1"];
    await using zk = new ZooKeeper({
      servers: `zk.test:${proxy.port}`,
      lookup: async () => ips,
      clock: { ...systemClock, random: () => 0 },
    });
    await zk.create("/e", "", { mode: "ephemeral" });
    const { sessionId } = zk;
    ips = ["::1", "127.0.0.1"];
    const states = statesOf(zk);
    proxy.cut();
    await eventually(() => states.join() === "suspended,connected");
    expect((await zk.get("/e")).stat.ephemeralOwner).toBe(sessionId);
    expect(zk.state).toMatchObject({ server: `zk.test:${proxy.port}` });
  });

  test("connects to a server on IPv6 by its address and by a name that has both", async () => {
    await using server = await startDevServer({ clock: systemClock, host: "::1" });
    await using literal = new ZooKeeper({ clock: systemClock, servers: server.connectString });
    await literal.connected();
    await using named = new ZooKeeper({
      clock: systemClock,
      servers: `zk.test:${server.port}`,
      lookup: async () => ["127.0.0.1", "::1"],
    });
    await named.connected();
  });

  test("whose names are unknown says so when it is asked why it has no session", async () => {
    await using zk = new ZooKeeper({ clock: systemClock, servers: "zk.test:1", lookup: none });
    const error: unknown = await zk.connected({ signal: AbortSignal.timeout(30) }).catch((thrown: unknown) => thrown);
    expect(String(error)).toContain("cannot look up zk.test: no such host: zk.test");
  });
});
