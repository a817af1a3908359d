import type { Clock } from "../clock.ts";
import type { ServerAddress, Dial, DialOptions, LinkEvents, LinkFailure, Wire } from "../dial.ts";
import { FrameReader, type FrameSink } from "../wire/framing.ts";
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

/** One connection that carries frames: what arrives comes in by `LinkEvents`. Everything written in one turn of the event loop is sent in one packet. */
export class Connection implements LinkEvents, FrameSink {
  readonly address: ServerAddress;
  /** When the last byte was received and sent, by the clock's monotonic time. */
  heardAt: number;
  sentAt: number;
  readonly #clock: Clock;
  readonly #events: ConnectionEvents;
  readonly #frames: FrameReader;
  #wire: Wire | null = null;
  #ended = false;
  /** What goes out with this turn: as a rule one frame. */
  #corked: Uint8Array | Uint8Array[] | null = null;
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
    this.#frames = new FrameReader(this);
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
    connection.#wire = await dial(address, options, connection);
    return connection;
  }

  /** Sends a frame. Nothing happens when the connection is over. */
  send(frame: Uint8Array): void {
    if (this.#ended) return;
    if (this.#corked === null) this.#corked = frame;
    else if (Array.isArray(this.#corked)) this.#corked.push(frame);
    else this.#corked = [this.#corked, frame];
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(this.#uncork);
  }

  /** Ends the connection and reports `reason`; only the first call counts. */
  end(reason: string): void {
    this.ended({ kind: "lost", reason });
  }

  ended(failure: LinkFailure): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#corked = null;
    this.#unsent = null;
    this.#wire?.terminate();
    this.#events.onEnd(failure);
  }

  data(chunk: Buffer): void {
    if (this.#ended) return;
    this.heardAt = this.#clock.monotonicMs();
    try {
      this.#frames.push(chunk);
    } catch (error) {
      this.end(error instanceof Error ? error.message : String(error));
    }
  }

  frame(bytes: Buffer, start: number, end: number): void {
    if (!this.#ended) this.#events.onRecord(new JuteReader(bytes, start, end));
  }

  drain(): void {
    if (this.#ended) return;
    const rest = this.#unsent;
    this.#unsent = null;
    if (rest !== null) this.#write(rest);
    this.#flush();
  }

  #flush(): void {
    const corked = this.#corked;
    if (this.#ended || this.#unsent !== null || corked === null) return;
    this.#corked = null;
    this.#write(Array.isArray(corked) ? Buffer.concat(corked) : corked);
  }

  #write(bytes: Uint8Array): void {
    const written = this.#wire?.write(bytes) ?? -1;
    this.sentAt = this.#clock.monotonicMs();
    // A closed socket returns -1; its close event follows.
    this.#unsent = written >= 0 && written < bytes.length ? bytes.subarray(written) : null;
  }
}
