import type { Clock } from "../../../src/support/clock.ts";
import { JuteWriter } from "../../../src/zookeeper/wire/jute.ts";
import { Database } from "../../../src/zookeeper/server/database.ts";
import { noFaults } from "../../../src/zookeeper/server/faults.ts";
import { ServerConnection, type OwningServer } from "../../../src/zookeeper/server/server_connection.ts";
import type { ServerSession } from "../../../src/zookeeper/server/session_table.ts";
import type { WriteRequest } from "../../../src/zookeeper/server/transaction.ts";
import type { Reply } from "../../../src/zookeeper/server/reply.ts";
import type { Sockets } from "../sockets.ts";
import type { End, EndEvents } from "../stream.ts";
import type { Ensemble } from "./ensemble.ts";
import { LeaderLink } from "./leader_link.ts";
import type { Term } from "./term.ts";

type Applied = ReturnType<Database["apply"]>;

/** Where clients reach a server. */
export const port = 2181;

/** One server of an ensemble. It serves clients while it leads or follows, from what it has carried out so far. */
export class Replica implements OwningServer {
  readonly name: string;
  readonly clock: Clock;
  readonly faults = noFaults();
  readonly writer = new JuteWriter(64 * 1024 * 1024);
  database = new Database();
  /** How many entries of the log it has carried out. */
  applied = 0;
  /** How far behind the news it is, on average and in milliseconds. */
  lagMs = 0;
  /** Whom it follows; itself when it leads. Null while it looks for a leader. */
  term: Term | null = null;
  state: "up" | "frozen" | "down" = "down";
  sockets: Sockets;
  readonly #ensemble: Ensemble;
  readonly #number: number;
  readonly #connections = new Set<ServerConnection>();
  readonly #link: LeaderLink;
  /** Who is to be told the reply to what it asked for. */
  readonly #askers = new Map<WriteRequest, (reply: Reply) => void>();
  #syncs: { readonly end: number; readonly done: () => void }[] = [];
  /** When each entry after those carried out is to be carried out. */
  #due: number[] = [];
  #timerAtMs = Infinity;
  #sessionCount = 0;

  constructor(ensemble: Ensemble, number: number, name: string, clock: Clock) {
    this.#ensemble = ensemble;
    this.#number = number;
    this.name = name;
    this.clock = clock;
    this.#link = new LeaderLink(ensemble, this);
    this.sockets = ensemble.network.process(name);
  }

  get leads(): boolean {
    return this.term?.leader === this;
  }

  start(): void {
    this.state = "up";
    this.sockets = this.#ensemble.network.process(this.name);
    this.sockets.listen(port, (end, from) => this.#accept(end, from.ip));
  }

  /** Its process ends; `silently` when the machine's power goes. */
  stop(silently: boolean): void {
    this.state = "down";
    if (silently) this.#ensemble.network.powerOff(this.name);
    else this.sockets.close();
    this.leave();
  }

  /** Begins to serve, having caught up. */
  join(term: Term): void {
    this.term = term;
    this.applyAll();
  }

  /** It has lost its leader, or is one no more: its clients must find another server. */
  leave(): void {
    this.term = null;
    this.#link.lost();
    this.#askers.clear();
    this.#syncs = [];
    this.#due = [];
    for (const connection of this.#connections) connection.drop();
  }

  /** Has news of the log up to `end`, and carries it out when it comes to it. */
  hear(end: number): void {
    const { time, chance } = this.#ensemble;
    let dueAtMs = this.#due.at(-1) ?? 0;
    while (this.applied + this.#due.length < end) {
      const lagMs = this.lagMs * 2 * chance.random();
      dueAtMs = Math.max(dueAtMs, this.#link.arrivalMs() + lagMs, time.nowMs);
      this.#due.push(dueAtMs);
    }
    this.#setTimer();
  }

  /** Passes on what the link to the leader has held back. */
  reconnected(): void {
    this.#link.flush();
    this.hear(this.#ensemble.log.length);
  }

  /** Carries out the whole log. */
  applyAll(): Applied | null {
    this.#due = [];
    return this.#applyTo(this.#ensemble.log.length);
  }

  openSession(askedTimeoutMs: number, done: (session: ServerSession | undefined) => void): void {
    const [least, most] = this.#ensemble.sessionTimeouts;
    this.#sessionCount += 1;
    const id = (BigInt(this.#number) << 56n) + (BigInt(Math.floor(this.#ensemble.time.nowMs)) << 16n);
    const session = {
      id: id + BigInt(this.#sessionCount & 0xffff),
      password: this.clock.randomBytes(16),
      timeoutMs: Math.min(most, Math.max(least, askedTimeoutMs)),
    };
    this.commit({ kind: "open-session", session }, () => done(this.database.sessions.get(session.id)));
  }

  resumeSession(id: bigint, password: Uint8Array, done: (session: ServerSession | undefined) => void): void {
    this.#link.send((term) => {
      const session = term.resume(id, password, this);
      this.#link.answer(() => done(session));
    });
  }

  touch(session: ServerSession): void {
    const { term } = this;
    if (term !== null && this.#ensemble.connected(this, term.leader)) term.touch(session.id);
  }

  commit(request: WriteRequest, done: (reply: Reply) => void): void {
    this.#askers.set(request, done);
    this.#link.send((term) => term.propose(request, this));
  }

  sync(done: () => void): void {
    this.#link.send((term) => {
      const { end } = term;
      this.#link.answer(() => {
        this.#syncs.push({ end, done });
        this.#answerSyncs();
      });
    });
  }

  attached(connection: ServerConnection): void {
    for (const other of this.#connections) {
      if (other !== connection && other.sessionId === connection.sessionId) other.drop();
    }
  }

  detached(connection: ServerConnection): void {
    this.#connections.delete(connection);
  }

  fourLetterWord(word: string): string | undefined {
    if (word === "ruok") return "imok";
    return word === "isro" ? "rw" : undefined;
  }

  #accept(end: End, ip: string): EndEvents | null {
    if (this.term === null) return null;
    const connection = new ServerConnection(this, end, ip);
    this.#connections.add(connection);
    this.catchUp();
    this.#setTimer();
    return {
      data: (chunk) => connection.received(chunk),
      drain: () => connection.drained(),
      closed: () => connection.drop(),
    };
  }

  /** Nobody sees what a server without clients has carried out, so it does not wake for that. */
  #setTimer(): void {
    const [first = Infinity] = this.#due;
    if (first >= this.#timerAtMs || this.#connections.size === 0) return;
    const { time } = this.#ensemble;
    const { sockets } = this;
    this.#timerAtMs = first;
    time.after(first - time.nowMs, () => {
      if (this.#timerAtMs === first) this.#timerAtMs = Infinity;
      sockets.deliver(() => {
        this.catchUp();
        this.#setTimer();
      });
    });
  }

  /** Carries out what is due. */
  catchUp(): void {
    const { nowMs } = this.#ensemble.time;
    let count = 0;
    while ((this.#due[count] ?? Infinity) <= nowMs) count += 1;
    if (count === 0) return;
    this.#due.splice(0, count);
    this.#applyTo(this.applied + count);
  }

  #applyTo(end: number): Applied | null {
    let last: Applied | null = null;
    while (this.applied < end) {
      const transaction = this.#ensemble.log[this.applied];
      if (transaction === undefined) break;
      this.applied += 1;
      last = this.database.apply(transaction);
      const { request } = transaction;
      const asker = this.#askers.get(request);
      this.#askers.delete(request);
      if (request.kind === "close-session" && asker === undefined) this.#dropSession(request.sessionId);
      asker?.(last.reply);
    }
    this.#answerSyncs();
    return last;
  }

  #answerSyncs(): void {
    if (this.#syncs.length === 0) return;
    const ready = this.#syncs.filter(({ end }) => end <= this.applied);
    this.#syncs = this.#syncs.filter(({ end }) => end > this.applied);
    for (const { done } of ready) done();
  }

  #dropSession(id: bigint): void {
    for (const connection of this.#connections) if (connection.sessionId === id) connection.drop();
  }
}
