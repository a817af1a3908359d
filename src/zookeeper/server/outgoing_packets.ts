import type { Clock } from "../clock.ts";
import type { Wire } from "../dial.ts";
import type { Faults } from "./faults.ts";

/** A client's connection, as seen by the server. */
export interface ServerWire extends Wire {
  /** Closes once everything that was written has been sent. */
  end(): void;
}

/** The outgoing packets of one connection, in order, with the injected faults applied. */
export class OutgoingPackets {
  readonly #clock: Clock;
  readonly #wire: ServerWire;
  readonly #faults: Faults;
  #waiting: Uint8Array[] = [];
  #blocked = false;
  #flushScheduled = false;
  #ending = false;
  #over = false;
  #sent = 0;
  #lastDueAt = 0;

  constructor(clock: Clock, wire: ServerWire, faults: Faults) {
    this.#clock = clock;
    this.#wire = wire;
    this.#faults = faults;
  }

  /** How many packets were handed to the wire or are queued for it. */
  get sent(): number {
    return this.#sent;
  }

  send(packet: Uint8Array): void {
    if (this.#over || this.#ending || this.#faults.dropReplies) return;
    this.#later(() => {
      this.#waiting.push(packet);
      this.#sent += 1;
      this.#schedule();
    });
  }

  /** Closes the connection once everything has been sent. */
  end(): void {
    if (this.#faults.dropReplies) return;
    this.#later(() => {
      this.#ending = true;
      this.#schedule();
    });
  }

  drop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#waiting = [];
    this.#wire.terminate();
  }

  drained(): void {
    this.#blocked = false;
    this.#flush();
  }

  #later(action: () => void): void {
    const now = this.#clock.monotonicMs();
    const dueAt = Math.max(this.#lastDueAt, now + this.#faults.delayMs);
    if (dueAt <= now) {
      action();
      return;
    }
    this.#lastDueAt = dueAt;
    this.#clock.after(dueAt - now, action);
  }

  #schedule(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#over || this.#blocked) return;
    if (this.#waiting.length > 0) {
      const bytes = Buffer.concat(this.#waiting);
      const written = Math.max(0, this.#wire.write(bytes));
      this.#waiting = written < bytes.length ? [bytes.subarray(written)] : [];
      this.#blocked = this.#waiting.length > 0;
      if (this.#blocked) return;
    }
    if (this.#ending) {
      this.#over = true;
      this.#wire.end();
    }
  }
}
