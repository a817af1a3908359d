import type { ProvedId } from "./access.ts";
import { Refusal } from "./refusal.ts";
import { SessionTable, type ServerSession } from "./session_table.ts";
import type { Outcome, Transaction } from "./transaction.ts";
import { Tree, type Change } from "./tree.ts";
import { WatchTable, type Watcher } from "./watch_table.ts";
import { carryOut, type Write } from "./writes.ts";

/** Who a request comes from. */
export interface Caller extends Watcher {
  readonly session: ServerSession;
  readonly ids: readonly ProvedId[];
}

/** What became of a transaction. */
interface Applied {
  readonly outcome: Outcome;
  readonly changes: readonly Change[];
}

const done = (): void => undefined;

/**
 * The tree, its watches and its sessions: all that a server has apart from its connections. It changes by transactions
 * alone, and two that had the same ones are the same.
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

  /** Carries out one transaction, whole or not at all, and tells the watchers. A refused one counts too. */
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

  #carryOut({ zxid, time, command }: Transaction): Applied {
    switch (command.kind) {
      case "write":
        return this.#write(command.write, { sessionId: command.sessionId, ids: command.ids, zxid, time });
      case "open-session":
        this.sessions.add(command.session);
        return { outcome: done, changes: [] };
      case "close-session": {
        const { sessionId } = command;
        this.sessions.remove(sessionId);
        const { changes } = this.tree.transact(() => {
          for (const path of this.tree.ephemeralsOf(sessionId)) this.tree.remove(path, zxid);
        });
        return { outcome: done, changes };
      }
      case "reap": {
        const { path } = command;
        // It was due when the command was given; meanwhile it may be gone or in use again.
        if (!this.tree.isOverdue(path, time)) return { outcome: done, changes: [] };
        return { outcome: done, changes: this.tree.transact(() => this.tree.remove(path, zxid)).changes };
      }
    }
  }

  #write(write: Write, actor: { sessionId: bigint; ids: readonly ProvedId[]; zxid: bigint; time: number }): Applied {
    // Its ephemeral nodes would have nobody left to remove them.
    if (!this.sessions.has(actor.sessionId)) return { outcome: new Refusal("SESSION_EXPIRED"), changes: [] };
    try {
      const { value, changes } = carryOut(write, this.tree, actor);
      return { outcome: value, changes };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { outcome: error, changes: [] };
    }
  }
}
