import type { Socket } from "bun";
import type { Address } from "./addresses.ts";
import { dial, type LinkFailure, type TlsOptions } from "./dial.ts";
import { FrameReader } from "./framing.ts";
import { JuteReader } from "./jute.ts";

export interface ConnectionEvents {
  /** What one frame holds, valid until this returns. What it throws ends the connection. */
  onRecord(record: JuteReader): void;
  /** Once, whoever ended it. */
  onEnd(failure: LinkFailure): void;
}

/** Those that have frames to send at the end of this turn. One list, for what is made for each frame adds up. */
let waiting: Connection[] = [];

/** One TCP or TLS connection that carries frames. What is written in one turn of the event loop leaves in one packet. */
export class Connection {
  readonly address: Address;
  /** `performance.now()` of the last byte in and of the last byte out. */
  heardAt = performance.now();
  sentAt = performance.now();
  readonly #events: ConnectionEvents;
  readonly #frames: FrameReader;
  #socket: Socket | null = null;
  #ended = false;
  #corked: Uint8Array[] = [];
  #flushScheduled = false;
  #unsent: Uint8Array | null = null;

  private constructor(address: Address, events: ConnectionEvents) {
    this.address = address;
    this.#events = events;
    this.#frames = new FrameReader((bytes, start, end) => {
      if (!this.#ended) events.onRecord(new JuteReader(bytes, start, end));
    });
  }

  /**
   * Connects.
   * @throws LinkError saying which server and why; also when `signal` aborts
   */
  static async open(
    address: Address,
    options: { readonly tls: TlsOptions | undefined; readonly timeoutMs: number; readonly signal: AbortSignal },
    events: ConnectionEvents,
  ): Promise<Connection> {
    const connection = new Connection(address, events);
    connection.#socket = await dial(address, options, {
      data: (chunk) => connection.#received(chunk),
      drain: () => connection.#drained(),
      ended: (failure) => connection.#over(failure),
    });
    return connection;
  }

  /** Sends a frame. Nothing happens when the connection is over. */
  send(frame: Uint8Array): void {
    if (this.#ended) return;
    this.#corked.push(frame);
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    if (waiting.push(this) === 1) queueMicrotask(Connection.#flushWaiting);
  }

  static #flushWaiting(this: void): void {
    const connections = waiting;
    waiting = [];
    for (const connection of connections) {
      connection.#flushScheduled = false;
      try {
        connection.#flush();
      } catch (error) {
        connection.end(error instanceof Error ? error.message : String(error));
      }
    }
  }

  /** Ends the connection and reports `reason`; only the first call counts. */
  end(reason: string): void {
    this.#over({ kind: "lost", reason });
  }

  #over(failure: LinkFailure): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#corked = [];
    this.#unsent = null;
    this.#socket?.terminate();
    this.#events.onEnd(failure);
  }

  #received(chunk: Buffer): void {
    if (this.#ended) return;
    this.heardAt = performance.now();
    try {
      this.#frames.push(chunk);
    } catch (error) {
      this.end(error instanceof Error ? error.message : String(error));
    }
  }

  #flush(): void {
    if (this.#ended || this.#unsent !== null || this.#corked.length === 0) return;
    const only = this.#corked.length === 1 ? this.#corked[0] : undefined;
    const bytes = only ?? Buffer.concat(this.#corked);
    this.#corked = [];
    this.#write(bytes);
  }

  #write(bytes: Uint8Array): void {
    const written = this.#socket?.write(bytes) ?? -1;
    this.sentAt = performance.now();
    // A closed socket says -1; its close event follows.
    this.#unsent = written >= 0 && written < bytes.length ? bytes.subarray(written) : null;
  }

  #drained(): void {
    if (this.#ended) return;
    const rest = this.#unsent;
    this.#unsent = null;
    if (rest !== null) this.#write(rest);
    this.#flush();
  }
}
