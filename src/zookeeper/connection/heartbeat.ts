import type { Clock } from "../clock.ts";

export interface HeartbeatSubject {
  /** When, by the clock's monotonic time, the last byte came from the server and went to it. */
  readonly link: { readonly heardAt: number; readonly sentAt: number };
  ping(): void;
  /** Nothing was heard for `silentMs`. */
  dead(silentMs: number): void;
}

// How late a timer may run before it is the process that was held up (stopped, starved), not the server.
const stallMs = 250;

/**
 * Keeps a session alive and notices a dead link: a ping when nothing was sent for a third of the session's timeout, the
 * end when nothing was heard for two thirds, which leaves a third to find another server.
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
      // The answer may lie unread in the socket: look once at what is there before the link is given up.
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
