import type { Socket } from "bun";
import type { Faults } from "./faults.ts";

/** What leaves on one connection, in order, with the faults applied. */
export class OutgoingPackets {
  readonly #socket: Socket<unknown>;
  readonly #faults: Faults;
  #waiting: Uint8Array[] = [];
  #blocked = false;
  #flushScheduled = false;
  #ending = false;
  #over = false;
  #lastDueAt = 0;

  constructor(socket: Socket<unknown>, faults: Faults) {
    this.#socket = socket;
    this.#faults = faults;
  }

  send(packet: Uint8Array): void {
    if (this.#over || this.#ending || this.#faults.dropReplies) return;
    this.#later(() => {
      this.#waiting.push(packet);
      this.#schedule();
    });
  }

  /** Closes the connection when everything has left. */
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
    this.#socket.terminate();
  }

  drained(): void {
    this.#blocked = false;
    this.#flush();
  }

  #later(action: () => void): void {
    const now = performance.now();
    const dueAt = Math.max(this.#lastDueAt, now + this.#faults.delayMs);
    if (dueAt <= now) {
      action();
      return;
    }
    this.#lastDueAt = dueAt;
    setTimeout(action, dueAt - now);
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
      const written = Math.max(0, this.#socket.write(bytes));
      this.#waiting = written < bytes.length ? [bytes.subarray(written)] : [];
      this.#blocked = this.#waiting.length > 0;
      if (this.#blocked) return;
    }
    if (this.#ending) {
      this.#over = true;
      this.#socket.end();
    }
  }
}
