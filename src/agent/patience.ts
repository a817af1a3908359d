import { backoffMs } from "../support/backoff.ts";
import { Bell } from "../support/bell.ts";

const PAUSE = { firstMs: 500, maxMs: 30_000 };

/** Counts the tries of one thing at a time, and waits longer after each. */
export class Patience {
  #what = "";
  #tries = 0;

  /** @returns how often `what` has now failed in a row */
  failed(what: string): number {
    this.#tries = what === this.#what ? this.#tries + 1 : 1;
    this.#what = what;
    return this.#tries;
  }

  /** Ends early when the signal is aborted; that is no error. */
  async pause(signal: AbortSignal): Promise<void> {
    await new Bell().wait(PAUSE.firstMs + backoffMs(this.#tries, PAUSE, Math.random), signal);
  }
}
