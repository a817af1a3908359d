import type { Clock } from "../clock.ts";
import { JuteWriter } from "../wire/jute.ts";
import { Database } from "./database.ts";
import { noFaults } from "./faults.ts";
import { fourLetterWord } from "./four_letter_words.ts";
import type { ServerWire } from "./outgoing_packets.ts";
import { ServerConnection, type OwningServer } from "./server_connection.ts";
import { SessionTable, type ServerSession } from "./session_table.ts";
import type { WriteRequest } from "./transaction.ts";
import type { Reply } from "./reply.ts";
import { Tree } from "./tree.ts";

export interface MemoryServerOptions {
  readonly clock: Clock;
  /** ZooKeeper's tickTime in milliseconds: a session's timeout is at least two ticks. Default 200. */
  readonly tickMs?: number;
  /** How often expired TTL nodes and empty containers are removed, in milliseconds. Default 60,000. */
  readonly reapMs?: number;
}

const maxSessionTimeoutMs = 60_000;

/** A standalone server in memory; it accepts connections from anything that implements a wire. */
export class MemoryServer implements OwningServer {
  readonly clock: Clock;
  readonly database: Database;
  readonly faults = noFaults();
  /** Replies may be larger than requests: the list of 100,000 children is. */
  readonly writer = new JuteWriter(64 * 1024 * 1024);
  readonly #tickMs: number;
  readonly #connections = new Set<ServerConnection>();
  readonly #startedAt: number;
  readonly #stopTimers: (() => void)[] = [];
  #lastSessionId: bigint;
  /** The packets of connections that have ended. */
  #packets = { received: 0, sent: 0 };

  constructor({ clock, tickMs = 200, reapMs = 60_000 }: MemoryServerOptions) {
    this.clock = clock;
    this.#tickMs = tickMs;
    this.#startedAt = clock.monotonicMs();
    // A restarted server has forgotten its transactions, and refuses clients that have seen a higher zxid than its own.
    // By starting from the clock, with room for 65,536 transactions in each millisecond, its zxid is higher than that of
    // the run before.
    this.database = new Database(new Tree(), new SessionTable(), BigInt(clock.now()) << 16n);
    // As in Apache's server, session ids grow from the clock, so that two runs of a server do not issue the same id.
    this.#lastSessionId = (BigInt(clock.now()) << 16n) & 0x00ff_ffff_ffff_ffffn;
    this.#every(tickMs, () => {
      for (const id of this.database.sessions.expired(clock.monotonicMs())) this.expire(id);
    });
    this.#every(reapMs, () => {
      for (const path of this.database.tree.overdue(clock.now())) this.#carryOut({ kind: "reap", path });
    });
  }

  /** Accepts a connection; the returned object takes what arrives on it. Null if it was refused. */
  accept(wire: ServerWire, remoteAddress: string): ServerConnection | null {
    if (this.faults.refuse) {
      wire.terminate();
      return null;
    }
    const connection = new ServerConnection(this, wire, remoteAddress);
    this.#connections.add(connection);
    return connection;
  }

  /** Expires a session at once. False if there is none with this id. */
  expire(id: bigint): boolean {
    const ended = this.database.sessions.has(id);
    if (ended) this.#carryOut({ kind: "close-session", sessionId: id });
    for (const connection of this.#connections) if (connection.sessionId === id) connection.drop();
    return ended;
  }

  dropConnections(): void {
    for (const connection of this.#connections) connection.drop();
  }

  close(): void {
    for (const stop of this.#stopTimers) stop();
    this.dropConnections();
  }

  openSession(askedTimeoutMs: number, done: (session: ServerSession | undefined) => void): void {
    this.#lastSessionId += 1n;
    const id = this.#lastSessionId;
    const password = this.clock.randomBytes(16);
    const timeoutMs = Math.min(maxSessionTimeoutMs, Math.max(2 * this.#tickMs, askedTimeoutMs));
    this.#carryOut({ kind: "open-session", session: { id, password, timeoutMs } });
    this.resumeSession(id, password, done);
  }

  resumeSession(id: bigint, password: Uint8Array, done: (session: ServerSession | undefined) => void): void {
    const session = this.database.sessions.resume(id, password);
    if (session !== undefined) this.touch(session);
    done(session);
  }

  touch(session: ServerSession): void {
    session.expiresAt = this.clock.monotonicMs() + session.timeoutMs;
  }

  commit(request: WriteRequest, done: (reply: Reply) => void): void {
    done(this.#carryOut(request));
  }

  sync(done: () => void): void {
    done();
  }

  attached(connection: ServerConnection): void {
    for (const other of this.#connections) {
      if (other !== connection && other.sessionId === connection.sessionId) other.drop();
    }
  }

  detached(connection: ServerConnection): void {
    if (!this.#connections.delete(connection)) return;
    this.#packets = addUp([this.#packets, connection.packets]);
  }

  fourLetterWord(word: string): string | undefined {
    return fourLetterWord(word, {
      ...addUp([this.#packets, ...[...this.#connections].map(({ packets }) => packets)]),
      connections: this.#connections.size,
      nodes: this.database.tree.size,
      sessions: this.database.sessions.ids.length,
      watches: this.database.watches.data.count + this.database.watches.children.count,
      zxid: this.database.zxid,
      uptimeMs: this.clock.monotonicMs() - this.#startedAt,
    });
  }

  #carryOut(request: WriteRequest): Reply {
    return this.database.apply({ zxid: this.database.zxid + 1n, time: this.clock.now(), request }).reply;
  }

  #every(ms: number, work: () => void): void {
    const slot = this.#stopTimers.length;
    const arm = (): void => {
      this.#stopTimers[slot] = this.clock.after(ms, () => {
        work();
        arm();
      });
    };
    arm();
  }
}

function addUp(all: readonly { readonly received: number; readonly sent: number }[]): {
  received: number;
  sent: number;
} {
  const total = { received: 0, sent: 0 };
  for (const { received, sent } of all) {
    total.received += received;
    total.sent += sent;
  }
  return total;
}
