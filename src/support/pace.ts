import { throwIfAborted } from "./abort.ts";
import type { Clock } from "./clock.ts";

const TURN_MS = 10;

/**
 * Gives the event loop a turn at least every 10 ms of synchronous work, so that the agent's ZooKeeper session stays alive
 * while thousands of small files are written by synchronous calls.
 */
export class Pace {
  readonly #attempted: string;
  readonly #signal: AbortSignal | undefined;
  readonly #clock: Clock;
  #turnBegan: number;

  /** @param attempted what the error of an aborted signal says after "Cannot", such as `unpack "web"` */
  constructor(attempted: string, signal: AbortSignal | undefined, clock: Clock) {
    this.#clock = clock;
    this.#turnBegan = clock.monotonicMs();
    this.#attempted = attempted;
    this.#signal = signal;
  }

  /** Whether it is time for a turn: cheaper than `breathe` if the steps are tiny. */
  get isDue(): boolean {
    return this.#clock.monotonicMs() - this.#turnBegan >= TURN_MS;
  }

  /** Resolves at once or after a turn of the event loop; throws `aborted` if the signal is aborted. */
  async breathe(): Promise<void> {
    this.check();
    if (!this.isDue) return;
    await this.#clock.turn();
    this.#turnBegan = this.#clock.monotonicMs();
    this.check();
  }

  check(): void {
    if (this.#signal !== undefined) throwIfAborted(this.#signal, this.#attempted);
  }
}
