import { backoffMs } from "../support/backoff.ts";
import { pause } from "../support/bell.ts";
import type { Clock } from "../support/clock.ts";

const PAUSE = { firstMs: 500, maxMs: 30_000 };

/** Counts the tries of one thing at a time, and waits longer after each. */
export class Patience {
  readonly #clock: Clock;
  #what = "";
  #tries = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns how often `what` has now failed in a row */
  failed(what: string): number {
    this.#tries = what === this.#what ? this.#tries + 1 : 1;
    this.#what = what;
    return this.#tries;
  }

  /** Ends early when the signal is aborted; that is no error. */
  async pause(signal: AbortSignal): Promise<void> {
    await pause(this.#clock, PAUSE.firstMs + backoffMs(this.#tries, PAUSE, this.#clock.random), signal);
  }
}
