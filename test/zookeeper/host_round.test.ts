import { describe, expect, test } from "bun:test";
import { systemClock } from "../../src/support/clock.ts";
import { AddressBook, systemLookup } from "../../src/zookeeper/connection/address_book.ts";
import { addressName } from "../../src/zookeeper/dial.ts";
import type { Lookup } from "../../src/zookeeper/options.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { HostRound, type Turn } from "../../src/zookeeper/connection/host_round.ts";
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

function roundOf(hosts: readonly string[], lookup: Lookup, random: () => number = Math.random): HostRound {
  const servers = hosts.map((host) => ({ host, port: 1 }));
  return new HostRound(new AddressBook(servers, lookup, systemClock, 100), { random }, 50, 300);
}

async function turns(round: HostRound, count: number): Promise<Turn[]> {
  const taken: Turn[] = [];
  for (let index = 0; index < count; index += 1) taken.push(await round.next());
  return taken;
}

function ipOf({ address }: Turn): string {
  return "unknown" in address ? `unknown: ${address.unknown}` : address.ip;
}

const three = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
const none = fixed({});

describe("a round of hosts", () => {
  test("tries each once without delay, then waits before each pass, longer and longer up to the limit", async () => {
    const tries = await turns(
      roundOf(three, none, () => 1),
      24,
    );
    expect(new Set(tries.slice(0, 3).map(ipOf))).toEqual(new Set(three));
    expect(tries.map((each) => each.delayMs)).toEqual(
      [0, 50, 75, 112.5, 168.75, 253.125, 300, 300].flatMap((delayMs) => [delayMs, 0, 0]),
    );
    expect(tries.slice(0, 6).map((each) => each.last)).toEqual([false, false, true, false, false, true]);
  });

  test("starts over without delay after a success, and tries last the server that was used last", async () => {
    const round = roundOf(three, none);
    const used = (await turns(round, 7)).at(-1);
    round.succeeded();
    const again = await turns(round, 4);
    expect(again.slice(0, 3).map((each) => each.delayMs)).toEqual([0, 0, 0]);
    expect(again[2]?.address).toEqual(used?.address ?? { unknown: "nothing" });
    expect(again[3]?.delayMs).toBeGreaterThan(0);
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
    const round = roundOf(["zk"], fixed(addresses));
    const first = await round.next();
    addresses["zk"] = ["10.0.0.2", "10.0.0.3"];
    expect([ipOf(first), ...(await turns(round, 2)).map(ipOf).toSorted()]).toEqual(three);
    round.succeeded();
    addresses["zk"] = ["10.0.0.4"];
    expect(ipOf(await round.next())).toBe("10.0.0.4");
  });

  test("keep their last addresses while they cannot be looked up, be it refused, silent or empty", async () => {
    let answer: () => Promise<readonly string[]> = async () => ["10.0.0.1"];
    const round = roundOf(["zk"], () => answer());
    await round.next();
    for (const outage of [
      (): Promise<readonly string[]> => Promise.reject(new Error("SERVFAIL")),
      (): Promise<readonly string[]> => Promise.withResolvers<readonly string[]>().promise,
      (): Promise<readonly string[]> => Promise.resolve([]),
    ]) {
      answer = outage;
      expect(ipOf(await round.next())).toBe("10.0.0.1");
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
