import type { ServerAddress } from "../dial.ts";
import type { AddressBook } from "./address_book.ts";
import type { Clock } from "../clock.ts";

export interface Turn {
  /** Whom to try, or why there is nobody. */
  readonly address: ServerAddress | { readonly unknown: string };
  /** How long to wait first, in milliseconds. */
  readonly delayMs: number;
  /** Whether this try ends a pass over all servers. */
  readonly last: boolean;
}

const GROWTH = 1.5;

/**
 * In which order servers are tried, and how long to wait before each. Names are looked up for each pass, and every
 * address of each is tried once, in shuffled order. The first pass has no delay, so that losing one server costs none.
 * Before each later one there is a wait, half as long again as the one before, with jitter, so that ten thousand clients
 * do not come back in step. An ensemble that elects a leader, which takes it half a second, turns everybody away
 * meanwhile: growing so slowly, the wait that outlasts an outage is as a rule no longer than half of it.
 */
export class HostRound {
  readonly #book: AddressBook;
  readonly #clock: Pick<Clock, "random">;
  readonly #firstDelayMs: number;
  readonly #maxDelayMs: number;
  #pass: ServerAddress[] = [];
  /** Counted from 0; -1 before the first. */
  #passNumber = -1;
  #lastTried: ServerAddress | undefined;

  constructor(book: AddressBook, clock: Pick<Clock, "random">, firstDelayMs: number, maxDelayMs: number) {
    this.#book = book;
    this.#clock = clock;
    this.#firstDelayMs = firstDelayMs;
    this.#maxDelayMs = maxDelayMs;
  }

  /** Call when a connection has proved useful: the next loss starts a pass without delay. */
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

  /** Shuffled, and the one that was tried last, which may just have died, at the end. */
  #ordered(addresses: readonly ServerAddress[]): ServerAddress[] {
    const order = shuffled(addresses, this.#clock);
    const last = this.#lastTried;
    const isLast = (each: ServerAddress): boolean => each.ip === last?.ip && each.server.port === last.server.port;
    return [...order.filter((each) => !isLast(each)), ...order.filter(isLast)];
  }
}

/** Waits until a turn begins, `delayMs` from now; less when `signal` aborts. */
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
