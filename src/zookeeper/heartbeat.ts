export interface HeartbeatSubject {
  /** `performance.now()` of the last byte from the server and to it. */
  readonly heardAt: number;
  readonly sentAt: number;
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
  readonly #subject: HeartbeatSubject;
  readonly #pingMs: number;
  readonly #deadMs: number;
  #timer: ReturnType<typeof setTimeout>;
  #dueAt = 0;
  #pardoned = false;

  constructor(subject: HeartbeatSubject, sessionTimeoutMs: number) {
    this.#subject = subject;
    this.#pingMs = sessionTimeoutMs / 3;
    this.#deadMs = (sessionTimeoutMs * 2) / 3;
    this.#timer = this.#arm(this.#pingMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #arm(delayMs: number): ReturnType<typeof setTimeout> {
    this.#dueAt = performance.now() + delayMs;
    return setTimeout(() => this.#tick(), delayMs);
  }

  #tick(): void {
    const now = performance.now();
    const silentMs = now - this.#subject.heardAt;
    const late = now - this.#dueAt > stallMs;
    if (silentMs < this.#deadMs) {
      this.#pardoned = false;
    } else if (late && !this.#pardoned) {
      // The answer may lie unread in the socket: look once at what is there before the link is given up.
      this.#pardoned = true;
      this.#timer = this.#arm(20);
      return;
    } else {
      this.#subject.dead(silentMs);
      return;
    }
    let untilPing = this.#subject.sentAt + this.#pingMs - now;
    if (untilPing < 1) {
      this.#subject.ping();
      untilPing = this.#pingMs;
    }
    const untilDead = this.#deadMs - silentMs;
    this.#timer = this.#arm(Math.max(1, Math.min(untilPing, untilDead)));
  }
}
