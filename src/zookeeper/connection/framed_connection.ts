import type { Clock } from "../clock.ts";
import type { ServerAddress, Dial, DialOptions, LinkFailure, Wire } from "../dial.ts";
import { FrameReader } from "../wire/framing.ts";
import { JuteReader } from "../wire/jute.ts";

export interface ConnectionEvents {
  /** Gets the content of one frame, valid until this returns. What it throws ends the connection. */
  onRecord(record: JuteReader): void;
  /** Called once, whichever side ended the connection. */
  onEnd(failure: LinkFailure): void;
}

/** What is needed to open a connection. */
export interface Linking {
  readonly clock: Clock;
  readonly dial: Dial;
}

/** One connection that carries frames. Everything written in one turn of the event loop is sent in one packet. */
export class Connection {
  readonly address: ServerAddress;
  /** When the last byte was received and sent, by the clock's monotonic time. */
  heardAt: number;
  sentAt: number;
  readonly #clock: Clock;
  readonly #events: ConnectionEvents;
  readonly #frames: FrameReader;
  #wire: Wire | null = null;
  #ended = false;
  #corked: Uint8Array[] = [];
  #flushScheduled = false;
  #unsent: Uint8Array | null = null;
  /** This closure is made only once, because garbage made for each frame adds up. */
  readonly #uncork = (): void => {
    this.#flushScheduled = false;
    try {
      this.#flush();
    } catch (error) {
      this.end(error instanceof Error ? error.message : String(error));
    }
  };

  private constructor(address: ServerAddress, clock: Clock, events: ConnectionEvents) {
    this.address = address;
    this.#clock = clock;
    this.heardAt = clock.monotonicMs();
    this.sentAt = this.heardAt;
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
    address: ServerAddress,
    { clock, dial }: Linking,
    options: DialOptions,
    events: ConnectionEvents,
  ): Promise<Connection> {
    const connection = new Connection(address, clock, events);
    connection.#wire = await dial(address, options, {
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
    queueMicrotask(this.#uncork);
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
    this.#wire?.terminate();
    this.#events.onEnd(failure);
  }

  #received(chunk: Buffer): void {
    if (this.#ended) return;
    this.heardAt = this.#clock.monotonicMs();
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
    const written = this.#wire?.write(bytes) ?? -1;
    this.sentAt = this.#clock.monotonicMs();
    // A closed socket returns -1; its close event follows.
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
