import { expect, test } from "bun:test";
import { op, read, type Stat } from "../../../src/zookeeper/client.ts";
import { isZooKeeperError } from "../../../src/zookeeper/errors.ts";
import type { Session } from "../../../src/zookeeper/session.ts";
import { Stage } from "./stage.ts";
import { Weather } from "./weather.ts";

interface Written {
  readonly value: string;
  readonly sessionId: bigint;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly outcome: "ok" | "refused" | "not-sent" | "unknown";
}

const keys = ["/a", "/b", "/c"];
const machines = ["host-1", "host-2", "host-3", "laptop"];
const STORM_MS = 90_000;

/** Clients that write and read in bad weather, and what the servers committed meanwhile. */
class Storm extends Stage {
  readonly written: Written[] = [];
  /** When each value was committed. */
  readonly committed = new Map<string, number[]>();
  readonly problems: string[] = [];
  /** The transaction that last changed each key, of those that were acknowledged. */
  readonly #acknowledged = new Map<string, bigint>();
  readonly weather: Weather;
  #values = 0;
  reads = 0;
  multis = 0;
  over = false;

  constructor(seed: string, servers: 1 | 3 | 5) {
    super(seed, servers);
    this.play(async () => {
      await using zk = this.client("builder");
      for (const path of [...keys, "/left", "/right"]) await zk.create(path, "0");
    });
    this.ensemble.onCommit(({ changes, atMs }) => {
      for (const { path } of changes) {
        const value = this.committedAt(path);
        if (keys.includes(path)) this.committed.set(value, [...(this.committed.get(value) ?? []), atMs]);
      }
      if (this.committedAt("/left") !== this.committedAt("/right")) this.problems.push(`a multi was cut at ${atMs}`);
    });
    this.weather = new Weather(this.ensemble, this.chance.fork("weather"), machines, 2_500);
  }

  committedAt(path: string): string {
    return Buffer.from(this.ensemble.read(path)?.data ?? "").toString();
  }

  async work(session: Session, name: string): Promise<void> {
    const chance = this.chance.fork(`work of ${name}`);
    const seen = new Map<string, bigint>();
    while (!this.over) {
      await this.sleep(chance.between(1, 400));
      const key = chance.pick(keys);
      try {
        switch (chance.between(0, 4)) {
          case 0:
          case 1:
            await this.#writes(session, key, seen, chance.between(1, 3));
            break;
          case 2:
            await this.#read(session, key, seen, chance.happens(0.5));
            break;
          case 3:
            await this.#multi(session);
            break;
          default:
            await this.#pair(session);
        }
      } catch (error) {
        if (!isZooKeeperError(error)) throw error;
        // A new session may speak to a server that is behind what the old one saw.
        if (isZooKeeperError(error, "SESSION_EXPIRED")) seen.clear();
      }
    }
  }

  /** Several at once: some may be on their way when the connection ends. */
  async #writes(session: Session, key: string, seen: Map<string, bigint>, count: number): Promise<void> {
    const all = Array.from({ length: count }, () => this.#write(session, key, seen));
    // What is asked behind a write is answered from a state that has it.
    const reading = session.client.get(key);
    const last = await all.at(-1)?.catch(() => undefined);
    const answer = await reading.catch(() => undefined);
    if (last !== undefined && answer !== undefined && answer.stat.mzxid < last.mzxid) {
      this.problems.push(`a read of ${key} behind a write missed it`);
    }
    for (const each of await Promise.allSettled(all)) if (each.status === "rejected") throw each.reason;
  }

  async #write(session: Session, key: string, seen: Map<string, bigint>): Promise<Stat> {
    const value = `${(this.#values += 1)}`;
    const startedAtMs = this.time.nowMs;
    const { client } = session;
    const { sessionId } = client;
    const note = (outcome: Written["outcome"]): void =>
      void this.written.push({ value, sessionId, startedAtMs, endedAtMs: this.time.nowMs, outcome });
    try {
      const stat = await client.set(key, value);
      note("ok");
      if (stat.mzxid > (this.#acknowledged.get(key) ?? 0n)) this.#acknowledged.set(key, stat.mzxid);
      if (client === session.client) seen.set(key, stat.mzxid);
      return stat;
    } catch (error) {
      if (isZooKeeperError(error)) note(error.outcome);
      throw error;
    }
  }

  async #read(session: Session, key: string, seen: Map<string, bigint>, synced: boolean): Promise<void> {
    const { client } = session;
    const least = this.#acknowledged.get(key) ?? 0n;
    if (synced) await client.sync(key);
    const { data, stat } = await client.get(key);
    this.reads += 1;
    if (synced && stat.mzxid < least) this.problems.push(`a read of ${key} after a sync missed a write`);
    if (stat.mzxid < (seen.get(key) ?? 0n)) this.problems.push(`${key} went back for one client`);
    if (client === session.client) seen.set(key, stat.mzxid);
    const value = Buffer.from(data).toString();
    if (value !== "0" && !this.committed.has(value)) this.problems.push(`${value} was read and never committed`);
  }

  async #multi({ client }: Session): Promise<void> {
    const value = `${(this.#values += 1)}`;
    await client.multi([op.set("/left", value), op.set("/right", value)]);
    this.multis += 1;
  }

  async #pair({ client }: Session): Promise<void> {
    const [left, right] = await client.multiRead([read.get("/left"), read.get("/right")]);
    if (left?.type !== "get" || right?.type !== "get") return;
    if (!Buffer.from(left.data).equals(Buffer.from(right.data))) this.problems.push("half of a multi was read");
  }
}

test.each([1, 3, 5] as const)(
  "every write to %d servers in a storm is in the history as its client was told",
  (servers) => {
    const totals = { ok: 0, "not-sent": 0, refused: 0, unknown: 0, "unknown and committed": 0, expired: 0 };
    const faults = new Map<string, number>();
    for (let seed = 0; seed < 12; seed += 1) {
      const storm = new Storm(`storm ${servers} ${seed}`, servers);
      const sessions = machines.map((machine) => storm.session(machine));
      const done = Promise.all(sessions.map((session, index) => storm.work(session, `${index}`)));
      storm.play(() => storm.sleep(STORM_MS));
      storm.weather.clear();
      storm.over = true;
      storm.play(async () => {
        await done;
        // When it is over everybody is served again.
        for (const session of sessions) {
          while (!(await session.client.set("/a", "end").catch(() => false)));
        }
        for (const session of sessions) await session.close();
        await storm.sleep(5_000);
      });
      const lastOf = new Map<bigint, number>();
      for (const { value, sessionId, startedAtMs, endedAtMs, outcome } of storm.written) {
        const [at, ...again] = storm.committed.get(value) ?? [];
        totals[outcome] += 1;
        if (outcome === "unknown" && at !== undefined) totals["unknown and committed"] += 1;
        expect(again, `${value} was committed more than once`).toEqual([]);
        if (outcome === "ok") expect(at, `${value} was acknowledged and is not there`).toBeDefined();
        if (outcome === "refused" || outcome === "not-sent") expect(at, `${value} is there`).toBeUndefined();
        if (at === undefined) continue;
        expect(at, `${value} was committed before it was sent`).toBeGreaterThanOrEqual(startedAtMs);
        expect(at, `${value} was overtaken by a later write of its session`).toBeGreaterThanOrEqual(
          lastOf.get(sessionId) ?? 0,
        );
        lastOf.set(sessionId, at);
        if (outcome === "ok") expect(at, `${value} was acknowledged too early`).toBeLessThanOrEqual(endedAtMs);
      }
      expect(storm.problems).toEqual([]);
      expect(storm.errors).toEqual([]);
      expect([storm.reads > 20, storm.multis > 10]).toEqual([true, true]);
      for (const session of sessions) totals.expired += session.epoch - 1;
      for (const [name, count] of storm.weather.counts) faults.set(name, (faults.get(name) ?? 0) + count);
      // All servers have the same in the end.
      for (const server of storm.ensemble.servers) server.catchUp();
      const [first, ...others] = storm.ensemble.servers.map(({ applied, database }) => [
        applied,
        database.zxid,
        [...database.tree.entries()],
        database.sessions.ids,
      ]);
      for (const other of others) expect(other).toEqual(first as typeof other);
    }
    // The weather was bad enough for all of this to mean something.
    for (const name of ["ok", "unknown", "unknown and committed", "expired"] as const) {
      expect([name, totals[name] > 0]).toEqual([name, true]);
    }
    expect(faults.size).toBe(12);
  },
);
