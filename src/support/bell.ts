/**
 * Wakes one waiting loop. Rings that come while the loop is busy are not lost and not counted: the next `wait` returns at
 * once, and one round of work answers them all.
 */
export class Bell {
  #rung = false;
  #wake: (() => void) | null = null;

  readonly ring = (): void => {
    this.#rung = true;
    this.#wake?.();
  };

  /**
   * Returns when rung, when `timeoutMs` have passed, or when the signal is aborted, whichever comes first; it never
   * throws, since each of these is a reason to look again.
   */
  async wait(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          signal.removeEventListener("abort", done);
          this.#wake = null;
          resolve();
        };
        const timer = setTimeout(done, Math.min(timeoutMs, 2 ** 31 - 1));
        signal.addEventListener("abort", done, { once: true });
        this.#wake = done;
      });
    }
    this.#rung = false;
  }
}
