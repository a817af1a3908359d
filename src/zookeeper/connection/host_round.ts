import type { ServerAddress } from "../dial.ts";
import type { AddressBook } from "./address_book.ts";
import type { Clock } from "../clock.ts";

export interface Turn {
  /** The server to try, or why there is none. */
  readonly address: ServerAddress | { readonly unknown: string };
  /** Whether this attempt ends a pass over all servers. */
  readonly last: boolean;
}

/** Upper bounds of the waits before a pass over the servers, in milliseconds. */
export interface Pauses {
  readonly firstMs: number;
  readonly mostMs: number;
}

/**
 * What a session can wait. When a server dies, all of its clients lose it in the same instant: a window of a few hundred
 * milliseconds spreads ten thousand of them, and one that is alone hardly notices. A sixth of the timeout, the longest,
 * leaves time: a server that died unnoticed for a third of it, an election, and this, and the session is still alive.
 */
export function pausesOf(sessionTimeoutMs: number): Pauses {
  return { firstMs: Math.min(300, sessionTimeoutMs / 30), mostMs: Math.min(5_000, sessionTimeoutMs / 6) };
}

type RoundClock = Pick<Clock, "random" | "after">;

const GROWTH = 2;

/**
 * The order in which servers are tried, and the waits. Names are resolved for each pass, and every address is tried once
 * per pass, in shuffled order, without a wait between them. Before each pass but the very first there is one, before its
 * names are resolved, which must not be asked all at once either: uniform between 0 and a bound that starts over when a
 * connection has proved useful, and doubles with each pass. This is "full jitter" (Marc Brooker, "Exponential Backoff And
 * Jitter", AWS Architecture Blog, 2015), from the first pass on, because those who lost the same server come back in the
 * same instant otherwise. An ensemble without a leader refuses everybody, and must not be kept busy by who asks.
 */
export class HostRound {
  readonly #book: AddressBook;
  readonly #clock: RoundClock;
  readonly #pauses: () => Pauses;
  #pass: ServerAddress[] = [];
  /** Whether the next pass is the very first, which nobody else begins in the same instant. */
  #fresh: boolean;
  /** How often it has waited since a connection proved useful. */
  #waits = 0;
  #lastTried: ServerAddress | undefined;

  /**
   * @param pauses asked before each wait, as what a session can wait is known only once there is one
   * @param afterLoss whether the very first pass follows the loss of a connection
   */
  constructor(book: AddressBook, clock: RoundClock, pauses: () => Pauses, afterLoss = false) {
    this.#book = book;
    this.#clock = clock;
    this.#pauses = pauses;
    this.#fresh = !afterLoss;
  }

  /** To be called when a connection has proved useful: the next loss then starts over with the shortest wait. */
  succeeded(): void {
    this.#pass = [];
    this.#waits = 0;
  }

  /** Resolves when it is time to try the server that is next; at once, with none, if `signal` is aborted. */
  async next(signal: AbortSignal): Promise<Turn> {
    let unknown = "";
    if (this.#pass.length === 0) {
      await pause(this.#clock, this.#delayMs(), signal);
      if (signal.aborted) return { address: { unknown: "closed" }, last: true };
      const { addresses, failures } = await this.#book.all();
      unknown = failures.join("; ");
      this.#pass = this.#ordered(addresses);
    }
    const address = this.#pass.shift();
    if (address === undefined) return { address: { unknown }, last: true };
    this.#lastTried = address;
    return { address, last: this.#pass.length === 0 };
  }

  #delayMs(): number {
    if (this.#fresh) {
      this.#fresh = false;
      return 0;
    }
    const { firstMs, mostMs } = this.#pauses();
    // The exponent is bounded so that the power stays a number.
    const ceiling = Math.min(mostMs, firstMs * GROWTH ** Math.min(this.#waits, 100));
    this.#waits += 1;
    return ceiling * this.#clock.random();
  }

  /** The addresses shuffled, but with the last one tried at the end, because it may just have died. */
  #ordered(addresses: readonly ServerAddress[]): ServerAddress[] {
    const order = shuffled(addresses, this.#clock);
    const last = this.#lastTried;
    const isLast = (each: ServerAddress): boolean => each.ip === last?.ip && each.server.port === last.server.port;
    return [...order.filter((each) => !isLast(each)), ...order.filter(isLast)];
  }
}

/** Waits `delayMs`; shorter if `signal` is aborted. */
async function pause(clock: RoundClock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (delayMs <= 0 || signal.aborted) return;
  const over = Promise.withResolvers<void>();
  const cancel = clock.after(delayMs, over.resolve);
  const onAbort = (): void => over.resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  await over.promise;
  cancel();
  signal.removeEventListener("abort", onAbort);
}

function shuffled<T>(values: readonly T[], clock: RoundClock): T[] {
  const copy = [...values];
  for (let last = copy.length - 1; last > 0; last -= 1) {
    const other = Math.floor(clock.random() * (last + 1));
    const a = copy[last];
    const b = copy[other];
    if (a === undefined || b === undefined) continue;
    copy[last] = b;
    copy[other] = a;
  }
  return copy;
}
