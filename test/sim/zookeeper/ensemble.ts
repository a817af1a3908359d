import type { Dial } from "../../../src/zookeeper/dial.ts";
import type { Stat } from "../../../src/zookeeper/znode.ts";
import { Database } from "../../../src/zookeeper/server/database.ts";
import { Refusal } from "../../../src/zookeeper/server/reply.ts";
import type { WriteRequest, Transaction } from "../../../src/zookeeper/server/transaction.ts";
import { statOf, type NodeChange } from "../../../src/zookeeper/server/tree.ts";
import type { Chance } from "../chance.ts";
import type { Network } from "../network.ts";
import type { Sockets } from "../sockets.ts";
import { virtualClock, type VirtualTime } from "../time.ts";
import { simulatedDial } from "./dial.ts";
import type { RequestHooks } from "./hooked_wire.ts";
import { Politics } from "./politics.ts";
import { port, Replica } from "./replica.ts";
import type { Term } from "./term.ts";

export interface EnsembleOptions {
  readonly time: VirtualTime;
  readonly chance: Chance;
  readonly network: Network;
  readonly servers: 1 | 3 | 5;
  /** The least and the most that a client gets, in milliseconds. Default: Apache's, with its usual tick. */
  readonly sessionTimeouts?: readonly [number, number];
  /** How often nodes past their time to live and empty containers are removed, in milliseconds. Default 60,000. */
  readonly reapMs?: number;
}

/** A change that is part of the history for good. */
export interface Commit {
  readonly zxid: bigint;
  readonly atMs: number;
  readonly request: WriteRequest;
  readonly changes: readonly NodeChange[];
  /** It was put in order and changed nothing. */
  readonly refused: boolean;
}

/** The state of the whole ensemble at some moment. */
export interface Snapshot {
  readonly database: Database;
  readonly epoch: number;
}

// How often the servers write down their state, in transactions.
const snapshotEvery = 200;

/**
 * ZooKeeper servers in one process, built of the production server's parts: one log that the leader puts in order, and
 * replicas that carry it out each at its own pace.
 */
export class Ensemble {
  readonly time: VirtualTime;
  readonly chance: Chance;
  readonly network: Network;
  readonly servers: readonly Replica[];
  readonly sessionTimeouts: readonly [number, number];
  readonly reapMs: number;
  /** All that was committed since the beginning, or since the last disaster. */
  log: Transaction[] = [];
  readonly #politics: Politics;
  readonly #listeners = new Set<(commit: Commit) => void>();
  /** What the last leader has. */
  #truth = new Database();
  /** What each server last wrote down whole. */
  #saved: { readonly database: Database; readonly applied: number } = { database: new Database(), applied: 0 };

  constructor(options: EnsembleOptions) {
    const { time, chance, network, servers, sessionTimeouts = [4_000, 40_000], reapMs = 60_000 } = options;
    this.time = time;
    this.chance = chance;
    this.network = network;
    this.sessionTimeouts = sessionTimeouts;
    this.reapMs = reapMs;
    this.servers = Array.from({ length: servers }, (_, index) => {
      const name = `zk-${index + 1}`;
      const own = chance.fork(name);
      const clock = virtualClock(time, own, { offsetMs: own.between(-50, 50), drift: 0 });
      const replica = new Replica(this, index + 1, name, clock);
      replica.lagMs = own.pick([0.2, 1, 5]);
      return replica;
    });
    this.#politics = new Politics(this);
    for (const replica of this.servers) replica.start();
    this.#politics.begin();
    network.onChange(() => this.#politics.consider());
  }

  get connectString(): string {
    return this.servers.map(({ name }) => `${this.network.ipOf(name)}:${port}`).join(",");
  }

  /** Who leads, and can; null while nobody does. */
  get leader(): Replica | null {
    const { term } = this.#politics;
    return term !== null && !term.over && term.quorate && term.leader.state === "up" ? term.leader : null;
  }

  /** How a process, or all of a machine's, reaches the servers. */
  dialFrom(from: string | Sockets, hooks: RequestHooks = {}): Dial {
    const sockets = typeof from === "string" ? this.network.process(from) : from;
    return simulatedDial(this.network, sockets, hooks);
  }

  /** What is committed at `path`; undefined when there is no such node. */
  read(path: string): { readonly data: Uint8Array; readonly stat: Stat } | undefined {
    const node = this.#truth.tree.find(path);
    return node === undefined ? undefined : { data: node.data ?? new Uint8Array(0), stat: statOf(node) };
  }

  /** The names of the children that are committed, none where there is no node. */
  children(path: string): string[] {
    return [...(this.#truth.tree.find(path)?.children ?? [])];
  }

  paths(): string[] {
    return [...this.#truth.tree.entries()].map(([path]) => path);
  }

  get sessions(): bigint[] {
    return this.#truth.sessions.ids;
  }

  /** Calls `listener` after each change that is committed, when `read` shows it. */
  onCommit(listener: (commit: Commit) => void): void {
    this.#listeners.add(listener);
  }

  /** Ends a session as if its time were over. */
  expire(id: bigint): void {
    this.#politics.term?.expire(id);
  }

  /** A server's process ends, or the power of its machine goes. */
  crash(index: number, how: "process" | "power" = "process"): void {
    this.#politics.crash(this.#server(index), how === "power");
  }

  restart(index: number, from: "as it was" | "a snapshot" = "as it was"): void {
    const replica = this.#server(index);
    if (replica.state !== "down") return;
    if (from === "a snapshot") {
      replica.database = this.#saved.database.copy();
      replica.applied = this.#saved.applied;
    }
    this.#politics.restart(replica);
  }

  /** A server's process is stopped, with its connections open. */
  freeze(index: number): void {
    this.#politics.freeze(this.#server(index));
  }

  thaw(index: number): void {
    this.#politics.thaw(this.#server(index));
  }

  /** How far a server is behind the leader, on average; what it was told meanwhile it carries out all the same. */
  setLag(index: number, ms: number): void {
    this.#server(index).lagMs = ms;
  }

  /** The leader steps down, and another server is elected where there is one. */
  changeLeader(): void {
    this.#politics.depose();
  }

  /** All servers run. The network and the power are another matter. */
  heal(): void {
    for (const [index] of this.servers.entries()) {
      this.thaw(index);
      this.restart(index);
    }
  }

  snapshot(epoch = this.#politics.epoch): Snapshot {
    return { database: this.#truth.copy(), epoch };
  }

  /** All servers stop and come back with nothing. */
  loseEverything(backAfterMs = 2_000): void {
    this.restoreSnapshot({ database: new Database(), epoch: 0 }, backAfterMs);
  }

  /** All servers stop and come back with what was once. */
  restoreSnapshot({ database, epoch }: Snapshot, backAfterMs = 2_000): void {
    for (const replica of this.servers) this.#politics.crash(replica, false);
    this.#politics.forget(epoch);
    this.log = [];
    this.#truth = database.copy();
    this.#saved = { database: database.copy(), applied: 0 };
    for (const [index, replica] of this.servers.entries()) {
      replica.database = database.copy();
      replica.applied = 0;
      this.time.after(backAfterMs * (1 + 0.5 * this.chance.random()), () => this.restart(index));
    }
  }

  /** Makes a change part of the history. The leader has carried it out when this returns. */
  commit(transaction: Transaction, term: Term): void {
    this.log.push(transaction);
    const applied = term.leader.applyAll();
    for (const replica of this.servers) {
      if (replica !== term.leader && replica.term === term && this.connected(replica, term.leader)) {
        replica.hear(this.log.length);
      }
    }
    if (this.log.length % snapshotEvery === 0) {
      this.#saved = { database: term.leader.database.copy(), applied: this.log.length };
    }
    if (applied === null || this.#listeners.size === 0) return;
    const { reply, changes } = applied;
    const { zxid, request } = transaction;
    const commit = { zxid, atMs: this.time.nowMs, request, changes, refused: reply instanceof Refusal };
    for (const listener of this.#listeners) listener(commit);
  }

  /** From now on what this server has is the truth. */
  believe(replica: Replica): void {
    replica.applyAll();
    this.#truth = replica.database;
  }

  connected(one: Replica, other: Replica): boolean {
    if (one === other) return true;
    return this.network.reaches(one.name, other.name) && this.network.reaches(other.name, one.name);
  }

  #server(index: number): Replica {
    const replica = this.servers[index];
    if (replica === undefined) throw new Error(`there is no server ${index}`);
    return replica;
  }
}
