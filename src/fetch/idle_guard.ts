import type { Clock } from "../support/clock.ts";

/**
 * An idle timeout: it starts again with every byte. It runs only while waiting for the network, so that a slow disk is
 * not mistaken for a silent server.
 */
export class IdleGuard implements Disposable {
  readonly #idle = new AbortController();
  readonly #outside: AbortSignal;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  /** Aborted if the caller's signal is, or if the network was silent for too long. */
  readonly signal: AbortSignal;

  constructor(timeoutMs: number, outside: AbortSignal, clock: Clock) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#outside = outside;
    this.signal = AbortSignal.any([this.#idle.signal, outside]);
  }

  get timedOut(): boolean {
    return this.#idle.signal.aborted && !this.#outside.aborted;
  }

  /** Waits for one step of the network; rejects as soon as `signal` is aborted, even if the step never settles. */
  async during<T>(step: () => Promise<T>): Promise<T> {
    this.signal.throwIfAborted();
    const cancel = this.#clock.after(this.#timeoutMs, () => this.#idle.abort());
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(new Error("aborted"));
    this.signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([step(), aborted]);
    } finally {
      cancel();
      this.signal.removeEventListener("abort", onAbort);
    }
  }

  /** Ends the parts of the transfer that are still open. */
  [Symbol.dispose](): void {
    this.#idle.abort();
  }
}
