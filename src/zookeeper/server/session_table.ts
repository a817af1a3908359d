import { timingSafeEqual } from "node:crypto";
import type { SessionFacts } from "./transaction.ts";

export interface ServerSession extends SessionFacts {
  /** The session expires unless it is heard from before this, by the monotonic time of the server that tracks it. */
  expiresAt: number;
}

/** The live sessions. */
export class SessionTable {
  readonly #sessions: Map<bigint, ServerSession>;

  constructor(sessions: Iterable<readonly [bigint, ServerSession]> = []) {
    this.#sessions = new Map(sessions);
  }

  get ids(): bigint[] {
    return [...this.#sessions.keys()];
  }

  all(): IterableIterator<ServerSession> {
    return this.#sessions.values();
  }

  has(id: bigint): boolean {
    return this.#sessions.has(id);
  }

  get(id: bigint): ServerSession | undefined {
    return this.#sessions.get(id);
  }

  /** Adds a session that does not expire until `expiresAt` is set. */
  add(session: SessionFacts): void {
    this.#sessions.set(session.id, { ...session, expiresAt: Infinity });
  }

  /** The session that a client resumes, if it is alive and the password is right. */
  resume(id: bigint, password: Uint8Array): ServerSession | undefined {
    const session = this.#sessions.get(id);
    if (session === undefined || password.byteLength !== session.password.byteLength) return undefined;
    return timingSafeEqual(password, session.password) ? session : undefined;
  }

  /** Returns false if there was no such session. */
  remove(id: bigint): boolean {
    return this.#sessions.delete(id);
  }

  expired(nowMs: number): bigint[] {
    return [...this.#sessions.values()].filter((session) => session.expiresAt <= nowMs).map((session) => session.id);
  }

  copy(): SessionTable {
    return new SessionTable([...this.#sessions].map(([id, session]) => [id, { ...session, expiresAt: Infinity }]));
  }
}
