import { pause } from "../support/bell.ts";
import type { Clock } from "../support/clock.ts";

/** For how long at least a conductor rests after a round, in milliseconds: what changes meanwhile is read together. */
const LEAST_REST_MS = 20;

/**
 * The pace of a conductor: after a round it rests as long as the round took, so that it takes half a processor at most and
 * larger fleets are read in larger parts. What happens after a quiet time waits for nothing.
 */
export class RoundPace {
  readonly #clock: Pick<Clock, "after" | "monotonicMs">;
  #restedAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Pick<Clock, "after" | "monotonicMs">) {
    this.#clock = clock;
  }

  async round(work: () => Promise<void>): Promise<void> {
    const startedAtMs = this.#clock.monotonicMs();
    try {
      await work();
    } finally {
      const nowMs = this.#clock.monotonicMs();
      this.#restedAtMs = nowMs + Math.max(LEAST_REST_MS, nowMs - startedAtMs);
    }
  }

  /** Waits for what is left of the rest after the last round. */
  async rest(signal: AbortSignal): Promise<void> {
    const leftMs = this.#restedAtMs - this.#clock.monotonicMs();
    if (leftMs > 0) await pause(this.#clock, leftMs, signal);
  }
}
