import type { ServerAddress } from "../dial.ts";
import type { AddressBook } from "./address_book.ts";
import type { Clock } from "../clock.ts";

export interface Turn {
  /** The server to try, or why there is none. */
  readonly address: ServerAddress | { readonly unknown: string };
  /** How long to wait before this attempt, in milliseconds. */
  readonly delayMs: number;
  /** Whether this attempt ends a pass over all servers. */
  readonly last: boolean;
}

const GROWTH = 1.5;

/**
 * The order in which servers are tried, and the backoff before each attempt. Names are resolved for each pass, and every
 * address is tried once per pass, in shuffled order. The first pass has no delay, so that losing one server costs none.
 * Before each later pass there is a wait, 1.5 times the one before, with jitter, so that ten thousand clients do not
 * reconnect in step. An ensemble that elects a leader refuses everybody for about half a second. The wait grows slowly,
 * so that a client as a rule reconnects no later after an outage than half the outage's length.
 */
export class HostRound {
  readonly #book: AddressBook;
  readonly #clock: Pick<Clock, "random">;
  readonly #firstDelayMs: number;
  readonly #maxDelayMs: number;
  #pass: ServerAddress[] = [];
  /** The number of the current pass, counted from 0; -1 before the first. */
  #passNumber = -1;
  #lastTried: ServerAddress | undefined;

  constructor(book: AddressBook, clock: Pick<Clock, "random">, firstDelayMs: number, maxDelayMs: number) {
    this.#book = book;
    this.#clock = clock;
    this.#firstDelayMs = firstDelayMs;
    this.#maxDelayMs = maxDelayMs;
  }

  /** To be called when a connection has proved useful: the next loss then starts a pass without delay. */
  succeeded(): void {
    this.#pass = [];
    this.#passNumber = -1;
  }

  async next(): Promise<Turn> {
    let unknown = "";
    let delayMs = 0;
    if (this.#pass.length === 0) {
      const { addresses, failures } = await this.#book.all();
      unknown = failures.join("; ");
      this.#pass = this.#ordered(addresses);
      this.#passNumber += 1;
      delayMs = this.#delay();
    }
    const address = this.#pass.shift();
    if (address === undefined) return { address: { unknown }, delayMs, last: true };
    this.#lastTried = address;
    return { address, delayMs, last: this.#pass.length === 0 };
  }

  #delay(): number {
    if (this.#passNumber === 0) return 0;
    const ceiling = Math.min(this.#maxDelayMs, this.#firstDelayMs * GROWTH ** Math.min(this.#passNumber - 1, 100));
    return ceiling * (0.5 + this.#clock.random() / 2);
  }

  /** The addresses shuffled, but with the last one tried at the end, because it may just have died. */
  #ordered(addresses: readonly ServerAddress[]): ServerAddress[] {
    const order = shuffled(addresses, this.#clock);
    const last = this.#lastTried;
    const isLast = (each: ServerAddress): boolean => each.ip === last?.ip && each.server.port === last.server.port;
    return [...order.filter((each) => !isLast(each)), ...order.filter(isLast)];
  }
}

/** Waits `delayMs` until the next attempt; shorter if `signal` is aborted. */
export async function untilTurn(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (delayMs <= 0 || signal.aborted) return;
  const over = Promise.withResolvers<void>();
  const cancel = clock.after(delayMs, over.resolve);
  const onAbort = (): void => over.resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  await over.promise;
  cancel();
  signal.removeEventListener("abort", onAbort);
}

function shuffled<T>(values: readonly T[], clock: Pick<Clock, "random">): T[] {
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
