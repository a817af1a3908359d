import { errorCode, type ZooKeeperErrorCode } from "../errors.ts";
import type { JuteReader } from "../wire/jute.ts";
import type { ReplyHeader } from "../wire/packets.ts";
import type { Pending } from "./pending.ts";

/** Where operations are sent. */
export interface Outlet {
  send(frame: Uint8Array): void;
}

const maxXid = 0x7fff_ffff;

/** The operations of a session that have no answer yet: those that wait for a connection, and those in flight. */
export class Operations {
  readonly #queued = new Set<Pending>();
  readonly #sent = new Map<number, Pending>();
  #xid: number;

  /** @param firstXid where the numbering starts; it wraps after 2^31 - 1 */
  constructor(firstXid = 1) {
    this.#xid = firstXid - 1;
  }

  /** Sends `pending` at once if there is an open connection, otherwise queues it. */
  accept(pending: Pending, connection: Outlet | null): void {
    if (connection === null) this.#queued.add(pending);
    else this.#send(pending, connection);
  }

  /**
   * The operation's timeout or signal has ended it. One that is in flight stays registered, because its answer will still
   * come.
   */
  givenUp(pending: Pending): void {
    this.#queued.delete(pending);
  }

  /** Sends all queued operations, in the order of their calls. */
  flush(connection: Outlet): void {
    for (const pending of this.#queued) this.#send(pending, connection);
    this.#queued.clear();
  }

  /** Passes an answer to its operation; false if there is none with that xid. */
  answer(header: ReplyHeader, reader: JuteReader): boolean {
    const pending = this.#sent.get(header.xid);
    if (pending === undefined) return false;
    this.#sent.delete(header.xid);
    pending.answer(header.error === 0 ? undefined : errorCode(header.error), reader);
    return true;
  }

  /** The connection is gone: what was in flight will never be answered. */
  connectionLost(reason: string): void {
    const lost = [...this.#sent.values()];
    this.#sent.clear();
    for (const pending of lost) pending.fail("CONNECTION_LOSS", reason);
  }

  /** The session is over. */
  failAll(code: ZooKeeperErrorCode, detail: string | undefined): void {
    const all = [...this.#sent.values(), ...this.#queued];
    this.#sent.clear();
    this.#queued.clear();
    for (const pending of all) pending.fail(code, detail);
  }

  #send(pending: Pending, connection: Outlet): void {
    this.#xid = this.#xid >= maxXid ? 1 : this.#xid + 1;
    this.#sent.set(this.#xid, pending);
    connection.send(pending.sendAs(this.#xid));
  }
}
