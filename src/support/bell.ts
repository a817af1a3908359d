import { onAbort } from "./abort.ts";
import type { Clock } from "./clock.ts";

/**
 * Wakes one waiting loop. Rings that come while the loop is busy are not lost, but they are not counted either: the next
 * `wait` returns at once, and one round of work handles them all.
 */
export class Bell {
  readonly #clock: Pick<Clock, "after">;
  #rung = false;
  #wake: (() => void) | null = null;

  constructor(clock: Pick<Clock, "after">) {
    this.#clock = clock;
  }

  readonly ring = (): void => {
    this.#rung = true;
    this.#wake?.();
  };

  /** Whether the next `wait` returns at once. */
  get isRung(): boolean {
    return this.#rung;
  }

  /**
   * Returns when the bell rings, when `timeoutMs` have passed, or when the signal is aborted, whichever comes first. It
   * never throws, because each of these is a reason to look again.
   */
  async wait(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          cancel();
          forget();
          this.#wake = null;
          resolve();
        };
        const cancel = this.#clock.after(timeoutMs, done);
        const forget = onAbort(signal, done);
        this.#wake = done;
      });
    }
    this.#rung = false;
  }
}

/** Waits for `ms`; ends early, without an error, if the signal is aborted. */
export async function pause(clock: Pick<Clock, "after">, ms: number, signal: AbortSignal): Promise<void> {
  await new Bell(clock).wait(ms, signal);
}
