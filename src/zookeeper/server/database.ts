import type { ProvedId } from "./access.ts";
import { SessionTable, type ServerSession } from "./session_table.ts";
import { Tree, type Actor } from "./tree.ts";
import { WatchTable, type Watcher } from "./watch_table.ts";

/** Who a request comes from. */
export interface Caller extends Watcher {
  readonly session: ServerSession;
  readonly ids: readonly ProvedId[];
}

/** The tree, its watches and its sessions: all that a server has apart from its sockets. */
export class Database {
  readonly tree = new Tree();
  readonly watches = new WatchTable();
  readonly sessions: SessionTable;
  #zxid = 0n;

  constructor(minTimeoutMs: number, maxTimeoutMs: number) {
    this.sessions = new SessionTable(minTimeoutMs, maxTimeoutMs);
  }

  /** The last transaction. */
  get zxid(): bigint {
    return this.#zxid;
  }

  /** Numbers a transaction that changes no node. */
  nextZxid(): bigint {
    this.#zxid += 1n;
    return this.#zxid;
  }

  /** Carries out one transaction, whole or not at all, and tells the watchers. A refused one has a number too. */
  write<T>(caller: Caller, work: (actor: Actor) => T): T {
    const actor = { sessionId: caller.session.id, ids: caller.ids, zxid: this.nextZxid(), time: Date.now() };
    const { value, changes } = this.tree.transact(() => work(actor));
    this.watches.announce(changes);
    return value;
  }

  /** Ends a session: its ephemeral nodes go in one transaction. False when there was no such session. */
  endSession(id: bigint): boolean {
    if (!this.sessions.remove(id)) return false;
    const zxid = this.nextZxid();
    const { changes } = this.tree.transact(() => {
      for (const path of this.tree.ephemeralsOf(id)) this.tree.remove(path, zxid);
    });
    this.watches.announce(changes);
    return true;
  }

  /** Removes nodes whose time is over. */
  reap(nowMs: number): void {
    for (const path of this.tree.overdue(nowMs)) {
      const zxid = this.nextZxid();
      const { changes } = this.tree.transact(() => this.tree.remove(path, zxid));
      this.watches.announce(changes);
    }
  }
}
