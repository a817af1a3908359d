import type { ServerSession } from "../../../src/zookeeper/server/session_table.ts";
import type { WriteRequest, Transaction } from "../../../src/zookeeper/server/transaction.ts";
import type { Ensemble } from "./ensemble.ts";
import type { Replica } from "./replica.ts";

interface Proposal {
  readonly transaction: Transaction;
  /** Whether anybody but the leader may have it. */
  readonly spread: boolean;
}

// Sessions end at the next turn of a leader's wheel after their time.
const wheelMs = 500;

/** One server's time as the leader: it puts all changes in order and watches over the sessions. */
export class Term {
  readonly leader: Replica;
  /** Whether a majority follows it and can be reached. */
  quorate = true;
  over = false;
  readonly #ensemble: Ensemble;
  readonly #epoch: number;
  /** Put in order, and not known to be with a majority yet. */
  readonly #proposals: Proposal[] = [];
  /** How many of these a majority has on its disks. */
  #acknowledged = 0;
  #count = 0;
  #readyAtMs = 0;
  /** Through which server a session speaks: what comes from it through another is from an earlier connection. */
  readonly #speakers = new Map<bigint, Replica>();
  #wheelAtMs = Infinity;

  constructor(ensemble: Ensemble, leader: Replica, epoch: number) {
    this.#ensemble = ensemble;
    this.leader = leader;
    this.#epoch = epoch;
  }

  /** From now on sessions are watched over, each as if it had just been heard of. */
  begin(): void {
    for (const session of this.leader.database.sessions.all()) this.#watchOver(session);
    this.#later(this.#ensemble.reapMs, () => this.#reap());
  }

  /** The number of entries that the log will have when all that is in order now is in it. */
  get end(): number {
    return this.#ensemble.log.length + this.#proposals.length;
  }

  propose(request: WriteRequest, from: Replica): void {
    if (this.over) return;
    if (request.kind === "open-session") this.#speakers.set(request.session.id, from);
    if (request.kind === "write" && this.#speakers.get(request.sessionId) !== from) return;
    this.#count += 1;
    const zxid = (BigInt(this.#epoch) << 32n) + BigInt(this.#count);
    const transaction = { zxid, time: this.leader.clock.now(), request };
    this.#proposals.push({ transaction, spread: this.quorate });
    const { time, chance, servers } = this.#ensemble;
    const toDisksMs = (servers.length === 1 ? 0.3 : 1) + 2 * chance.random() ** 4;
    this.#readyAtMs = Math.max(this.#readyAtMs, time.nowMs + toDisksMs);
    this.#later(this.#readyAtMs - time.nowMs, () => {
      this.#acknowledged += 1;
      this.commitReady();
    });
  }

  /** Commits what a majority has, unless there is none to tell it. */
  commitReady(): void {
    while (!this.over && this.quorate && this.#acknowledged > 0) {
      this.#acknowledged -= 1;
      const proposal = this.#proposals.shift();
      if (proposal === undefined) return;
      this.#ensemble.commit(proposal.transaction, this);
      const { request } = proposal.transaction;
      if (request.kind !== "open-session") continue;
      const session = this.leader.database.sessions.get(request.session.id);
      if (session !== undefined) this.#watchOver(session);
    }
  }

  /** The session that a client comes back to through `from`, if it lives and the password is right. */
  resume(id: bigint, password: Uint8Array, from: Replica): ServerSession | undefined {
    const session = this.leader.database.sessions.resume(id, password);
    if (session === undefined) return undefined;
    this.#speakers.set(id, from);
    this.#watchOver(session);
    return session;
  }

  touch(id: bigint): void {
    const session = this.leader.database.sessions.get(id);
    // One whose end is being put in order stays as it is.
    if (session !== undefined && session.expiresAt !== Infinity) {
      session.expiresAt = this.#ensemble.time.nowMs + session.timeoutMs;
    }
  }

  expire(id: bigint): void {
    const session = this.leader.database.sessions.get(id);
    if (session === undefined) return;
    session.expiresAt = Infinity;
    this.propose({ kind: "close-session", sessionId: id }, this.leader);
  }

  /** The end of it. The result is what survives of that which was not committed: some of it by chance, in order. */
  finish(): Transaction[] {
    this.over = true;
    const spread = this.#proposals.findIndex((each) => !each.spread);
    const most = spread === -1 ? this.#proposals.length : spread;
    const kept = Math.max(Math.min(this.#acknowledged, most), this.#ensemble.chance.between(0, most));
    return this.#proposals.splice(0, kept).map(({ transaction }) => transaction);
  }

  #watchOver(session: ServerSession): void {
    session.expiresAt = this.#ensemble.time.nowMs + session.timeoutMs;
    this.#turnWheelAt(session.expiresAt);
  }

  #turnWheelAt(dueAtMs: number): void {
    if (dueAtMs >= this.#wheelAtMs) return;
    const { time, chance } = this.#ensemble;
    this.#wheelAtMs = dueAtMs;
    this.#later(dueAtMs - time.nowMs + wheelMs * chance.random(), () => {
      // A wheel that was turned to an earlier moment meanwhile has seen to it.
      if (this.#wheelAtMs === dueAtMs) this.#turnWheel();
    });
  }

  #turnWheel(): void {
    this.#wheelAtMs = Infinity;
    const { sessions } = this.leader.database;
    for (const id of sessions.expired(this.#ensemble.time.nowMs)) this.expire(id);
    let next = Infinity;
    for (const { expiresAt } of sessions.all()) next = Math.min(next, expiresAt);
    if (next < Infinity) this.#turnWheelAt(next);
  }

  #reap(): void {
    for (const path of this.leader.database.tree.overdue(this.leader.clock.now())) {
      this.propose({ kind: "reap", path }, this.leader);
    }
    this.#later(this.#ensemble.reapMs, () => this.#reap());
  }

  /** What the leader does later, if it still is one then and its process runs. */
  #later(ms: number, work: () => void): void {
    const { sockets } = this.leader;
    this.#ensemble.time.after(ms, () =>
      sockets.deliver(() => {
        if (!this.over) work();
      }),
    );
  }
}
