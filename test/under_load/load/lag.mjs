/** How often it is looked, in milliseconds. */
const LOOK_MS = 20;
/** Less is no stall but the ordinary inaccuracy of timers. */
const STALL_MS = 30;

/** How late this program itself is: what it is late it would otherwise lay at the service's door. */
export class Lag {
  #stalls = [];
  #lookedAt = performance.now();
  #timer = setInterval(() => this.#look(), LOOK_MS);
  worstMs = 0;

  /** Milliseconds that were lost since then. */
  since(time) {
    this.#look();
    return this.#stalls.filter(({ endedAt }) => endedAt > time).reduce((sum, { ms }) => sum + ms, 0);
  }

  stop() {
    clearInterval(this.#timer);
  }

  /** Also between two ticks of the timer: after a stall, what has come meanwhile may be told before the timer fires. */
  #look() {
    const now = performance.now();
    const ms = now - this.#lookedAt - LOOK_MS;
    this.#lookedAt = now;
    if (ms < STALL_MS) return;
    this.worstMs = Math.max(this.worstMs, Math.round(ms));
    this.#stalls.push({ endedAt: now, ms });
    // The longest request is long over.
    this.#stalls = this.#stalls.filter(({ endedAt }) => now - endedAt < 30_000);
  }
}
