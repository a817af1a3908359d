import { randomBytes, timingSafeEqual } from "node:crypto";

export interface ServerSession {
  readonly id: bigint;
  readonly password: Uint8Array;
  readonly timeoutMs: number;
  expiresAt: number;
}

/** The live sessions and when each must have been heard of again. */
export class SessionTable {
  readonly #sessions = new Map<bigint, ServerSession>();
  readonly #minTimeoutMs: number;
  readonly #maxTimeoutMs: number;
  // As Apache does, ids grow from the clock, so that two runs of a server do not give out the same.
  #nextId = (BigInt(Date.now()) << 16n) & 0x00ff_ffff_ffff_ffffn;

  constructor(minTimeoutMs: number, maxTimeoutMs: number) {
    this.#minTimeoutMs = minTimeoutMs;
    this.#maxTimeoutMs = maxTimeoutMs;
  }

  get ids(): bigint[] {
    return [...this.#sessions.keys()];
  }

  open(askedTimeoutMs: number): ServerSession {
    const timeoutMs = Math.min(this.#maxTimeoutMs, Math.max(this.#minTimeoutMs, askedTimeoutMs));
    this.#nextId += 1n;
    const session = { id: this.#nextId, password: randomBytes(16), timeoutMs, expiresAt: 0 };
    this.#sessions.set(session.id, session);
    this.touch(session);
    return session;
  }

  /** The session a client comes back to, if it lives and the password is right. */
  resume(id: bigint, password: Uint8Array): ServerSession | undefined {
    const session = this.#sessions.get(id);
    if (session === undefined || password.byteLength !== session.password.byteLength) return undefined;
    if (!timingSafeEqual(password, session.password)) return undefined;
    this.touch(session);
    return session;
  }

  touch(session: ServerSession): void {
    session.expiresAt = performance.now() + session.timeoutMs;
  }

  /** False when it was not there. */
  remove(id: bigint): boolean {
    return this.#sessions.delete(id);
  }

  expired(now: number): bigint[] {
    return [...this.#sessions.values()].filter((session) => session.expiresAt <= now).map((session) => session.id);
  }
}
