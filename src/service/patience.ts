import { backoffMs } from "../support/backoff.ts";
import { pause } from "../support/bell.ts";
import type { Clock } from "../support/clock.ts";

const PAUSE = { firstMs: 500, maxMs: 30_000 };
/** How much the waits of hosts that were all told to wait equally long are spread, as a part of that time. */
const SPREAD = 0.1;

/** How often and how long one thing has failed so far, without any progress in between. */
export interface Failing {
  readonly tries: number;
  /** How long it has been failing, in milliseconds. */
  readonly forMs: number;
  /** When it failed first, by the wall clock: for people. */
  readonly sinceMs: number;
}

/** Counts the tries of one thing at a time, with a longer pause (backoff) after each. */
export class Patience {
  readonly #clock: Clock;
  #what = "";
  #tries = 0;
  #furthest = 0;
  #began = { monotonicMs: 0, wallMs: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * @param reached how far it came, in any measure that grows; a try that comes further than the one before starts the
   *   count anew
   */
  failed(what: string, reached = 0): Failing {
    const nowMs = this.#clock.monotonicMs();
    const again = what === this.#what && reached <= this.#furthest;
    if (!again) this.#began = { monotonicMs: nowMs, wallMs: this.#clock.now() };
    this.#tries = again ? this.#tries + 1 : 1;
    this.#furthest = what === this.#what ? Math.max(this.#furthest, reached) : reached;
    this.#what = what;
    return { tries: this.#tries, forMs: nowMs - this.#began.monotonicMs, sinceMs: this.#began.wallMs };
  }

  /**
   * Waits before the next try. Ends early when the signal is aborted; that is no error.
   *
   * @param bounds `leastMs` is the wait that the other side has asked for, `mostMs` the time until the last try
   */
  async pause(signal: AbortSignal, { leastMs, mostMs }: { leastMs: number; mostMs: number }): Promise<void> {
    const { random } = this.#clock;
    const ownMs = PAUSE.firstMs + backoffMs(this.#tries, PAUSE, random);
    const askedMs = leastMs > 0 ? leastMs * (1 + SPREAD * random()) : 0;
    await pause(this.#clock, Math.min(mostMs, Math.max(ownMs, askedMs)), signal);
  }
}
