type Listener = Parameters<EventTarget["addEventListener"]>[1];

/**
 * The runtime keeps every signal that somebody listens to until it is aborted, and whoever dies in a rehearsal aborts
 * nothing: a whole world stays in memory by each of its dead. So what is listened to is noted, and let go when the world
 * is over.
 */
export class HeardSignals {
  readonly #heard: (readonly [AbortSignal, Listener])[] = [];

  constructor() {
    const heard = this.#heard;
    AbortSignal.prototype.addEventListener = function addEventListener(
      this: AbortSignal,
      type: string,
      listener: Listener,
      options?: boolean | AddEventListenerOptions,
    ): void {
      heard.push([this, listener]);
      EventTarget.prototype.addEventListener.call(this, type, listener, options);
    };
  }

  /** Nobody of that world hears anything any more. */
  letGo(): void {
    for (const [signal, listener] of this.#heard.splice(0)) signal.removeEventListener("abort", listener);
  }
}
