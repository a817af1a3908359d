import type { Clock } from "../clock.ts";

export interface HeartbeatSubject {
  /** When the last byte was received from the server and sent to it, by the clock's monotonic time. */
  readonly link: { readonly heardAt: number; readonly sentAt: number };
  ping(): void;
  /** Nothing was heard for `silentMs`. */
  dead(silentMs: number): void;
}

// If a timer fires later than this, the process was held up (stopped, starved), not the server. In milliseconds.
const stallMs = 250;

/**
 * Keeps a session alive and detects a dead link: it sends a ping if nothing was sent for a third of the session timeout,
 * and ends the connection if nothing was received for two thirds, which leaves a third to find another server.
 */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #subject: HeartbeatSubject;
  readonly #pingMs: number;
  readonly #deadMs: number;
  #cancel: () => void;
  #dueAt = 0;
  #pardoned = false;

  constructor(clock: Clock, subject: HeartbeatSubject, sessionTimeoutMs: number) {
    this.#clock = clock;
    this.#subject = subject;
    this.#pingMs = sessionTimeoutMs / 3;
    this.#deadMs = (sessionTimeoutMs * 2) / 3;
    this.#cancel = this.#arm(this.#pingMs);
  }

  stop(): void {
    this.#cancel();
  }

  #arm(delayMs: number): () => void {
    this.#dueAt = this.#clock.monotonicMs() + delayMs;
    return this.#clock.after(delayMs, () => this.#tick());
  }

  #tick(): void {
    const now = this.#clock.monotonicMs();
    const silentMs = now - this.#subject.link.heardAt;
    const late = now - this.#dueAt > stallMs;
    if (silentMs < this.#deadMs) {
      this.#pardoned = false;
    } else if (late && !this.#pardoned) {
      // The answer may lie unread in the socket: look once at what has arrived before giving up the link.
      this.#pardoned = true;
      this.#cancel = this.#arm(20);
      return;
    } else {
      this.#subject.dead(silentMs);
      return;
    }
    let untilPing = this.#subject.link.sentAt + this.#pingMs - now;
    if (untilPing < 1) {
      this.#subject.ping();
      untilPing = this.#pingMs;
    }
    const untilDead = this.#deadMs - silentMs;
    this.#cancel = this.#arm(Math.max(1, Math.min(untilPing, untilDead)));
  }
}
