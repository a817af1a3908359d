import type { ProvedId } from "./access.ts";
import { Refusal, type Reply } from "./reply.ts";
import { SessionTable, type ServerSession } from "./session_table.ts";
import type { Transaction } from "./transaction.ts";
import { Tree, type NodeChange } from "./tree.ts";
import { WatchTable, type Watcher } from "./watch_table.ts";
import { carryOut, type Write } from "./writes.ts";

/** The connection that a request comes from. */
export interface Caller extends Watcher {
  readonly session: ServerSession;
  readonly ids: readonly ProvedId[];
}

/** The result of a transaction: the reply, and the changes it made. */
interface Applied {
  readonly reply: Reply;
  readonly changes: readonly NodeChange[];
}

const done = (): void => undefined;

/**
 * The tree, its watches and its sessions: all of a server's state apart from its connections. It changes only by
 * transactions, and is deterministic: two databases that applied the same transactions are the same.
 */
export class Database {
  readonly tree: Tree;
  readonly sessions: SessionTable;
  readonly watches = new WatchTable();
  #zxid: bigint;

  constructor(tree = new Tree(), sessions = new SessionTable(), zxid = 0n) {
    this.tree = tree;
    this.sessions = sessions;
    this.#zxid = zxid;
  }

  /** The last transaction. */
  get zxid(): bigint {
    return this.#zxid;
  }

  /** Applies one transaction, atomically, and notifies the watchers. A refused transaction also advances the zxid. */
  apply(transaction: Transaction): Applied {
    this.#zxid = transaction.zxid;
    const applied = this.#carryOut(transaction);
    this.watches.announce(applied.changes);
    return applied;
  }

  /** The same state for another server; nobody watches it yet. */
  copy(): Database {
    return new Database(this.tree.copy(), this.sessions.copy(), this.#zxid);
  }

  #carryOut({ zxid, time, request }: Transaction): Applied {
    switch (request.kind) {
      case "write":
        return this.#write(request.write, { sessionId: request.sessionId, ids: request.ids, zxid, time });
      case "open-session":
        this.sessions.add(request.session);
        return { reply: done, changes: [] };
      case "close-session": {
        const { sessionId } = request;
        this.sessions.remove(sessionId);
        const { changes } = this.tree.transact(() => {
          for (const path of this.tree.ephemeralsOf(sessionId)) this.tree.remove(path, zxid);
        });
        return { reply: done, changes };
      }
      case "reap": {
        const { path } = request;
        // The node was overdue when the request was made; meanwhile it may be gone or in use again.
        if (!this.tree.isOverdue(path, time)) return { reply: done, changes: [] };
        return { reply: done, changes: this.tree.transact(() => this.tree.remove(path, zxid)).changes };
      }
    }
  }

  #write(write: Write, actor: { sessionId: bigint; ids: readonly ProvedId[]; zxid: bigint; time: number }): Applied {
    // Nobody would be left to remove the session's ephemeral nodes.
    if (!this.sessions.has(actor.sessionId)) return { reply: new Refusal("SESSION_EXPIRED"), changes: [] };
    try {
      const { value, changes } = carryOut(write, this.tree, actor);
      return { reply: value, changes };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { reply: error, changes: [] };
    }
  }
}
