import type { ServerWire } from "../../src/zookeeper/server/outgoing_packets.ts";
import type { Link, Machine, Network } from "./network.ts";
import type { Sockets } from "./sockets.ts";

/** What happens at one end of a connection. */
export interface EndEvents {
  data(chunk: Buffer): void;
  /** What did not fit may be written now. */
  drain(): void;
  closed(reason: string): void;
}

export interface ConnectEvents extends EndEvents {
  opened(end: End): void;
  failed(reason: string): void;
}

/** Takes a connection from a machine, or, by null, closes it. */
export type Accept = (end: End, from: Machine) => EndEvents | null;

const silent: EndEvents = { data: () => undefined, drain: () => undefined, closed: () => undefined };

/** One connection between two processes. */
export class Stream {
  readonly #network: Network;
  readonly #client: End;
  readonly #server: End;
  readonly #events: ConnectEvents;

  constructor(network: Network, client: Sockets, server: Sockets, events: ConnectEvents) {
    this.#network = network;
    this.#events = events;
    this.#client = new End(network, this, client, server.machine);
    this.#server = new End(network, this, server, client.machine);
    this.#client.peer = this.#server;
    this.#server.peer = this.#client;
    network.streams.add(this);
  }

  joins(one: Machine, other: Machine): boolean {
    const [client, server] = [this.#client.sockets.machine, this.#server.sockets.machine];
    return (client === one && server === other) || (client === other && server === one);
  }

  accepted(accept: Accept): void {
    const events = accept(this.#server, this.#client.sockets.machine);
    if (events === null) this.#server.terminate();
    else this.#server.events = events;
  }

  opened(): void {
    if (this.#client.closed) {
      this.#events.failed("the connection was reset");
      return;
    }
    this.#client.events = this.#events;
    this.#events.opened(this.#client);
  }

  /** Both ends are told that it is over; what was under way is lost. */
  die(reason: string): void {
    for (const end of [this.#client, this.#server]) end.over(reason);
  }

  /** A link between the two is open again. */
  resume(): void {
    for (const end of [this.#client, this.#server]) end.resume();
  }

  ended(): void {
    if (this.#client.closed && this.#server.closed) this.#network.streams.delete(this);
  }
}

/** What is under way: bytes, or the end of them. */
type Piece = Buffer | "end";

const roomBytes = 256 * 1024;

/** One process's end of a connection. */
export class End implements ServerWire {
  readonly sockets: Sockets;
  events: EndEvents = silent;
  peer: End | null = null;
  closed = false;
  readonly #network: Network;
  readonly #stream: Stream;
  readonly #link: Link;
  readonly #back: Link;
  #ending = false;
  #lastAtMs = 0;
  #freeAtMs = 0;
  #underWay = 0;
  #full = false;
  /** What the link has swallowed, while TCP still tries. */
  #stalled: Piece[] = [];
  /** Nothing that is sent arrives any more. */
  #lost = false;

  constructor(network: Network, stream: Stream, sockets: Sockets, other: Machine) {
    this.#network = network;
    this.#stream = stream;
    this.sockets = sockets;
    this.#link = network.link(sockets.machine, other);
    this.#back = network.link(other, sockets.machine);
    sockets.holds(this);
  }

  write(bytes: Uint8Array): number {
    if (this.closed || this.#ending) return -1;
    const taken = Math.min(bytes.length, roomBytes - this.#underWay);
    if (taken < bytes.length) this.#full = true;
    if (taken > 0) this.#send(Buffer.from(bytes.buffer, bytes.byteOffset, taken));
    return taken;
  }

  end(): void {
    if (this.closed || this.#ending) return;
    this.#ending = true;
    this.#send("end");
  }

  terminate(): void {
    if (!this.closed && !this.#ending) this.#send("end");
    this.abandon();
  }

  /** It is over here, and nobody is told. */
  abandon(): void {
    this.events = silent;
    this.#close();
  }

  /** It is over here, and the process is told, behind all that has arrived before. */
  over(reason: string): void {
    if (this.closed) return;
    this.#close();
    this.sockets.deliver(() => {
      const { events } = this;
      this.events = silent;
      events.closed(reason);
    });
  }

  /** What was swallowed is sent again, or the connection was forgotten by something in between. */
  resume(): void {
    if (this.#stalled.length === 0 || this.#link.state !== "open") return;
    const stalled = this.#stalled;
    this.#stalled = [];
    if (this.#network.chance.happens(0.5)) this.#lost = true;
    const againMs = 200 + 2_000 * this.#network.chance.random();
    for (const piece of stalled) this.#schedule(piece, againMs);
  }

  #close(): void {
    this.closed = true;
    this.sockets.forget(this);
    this.#stream.ended();
  }

  #send(piece: Piece): void {
    if (this.#lost || !this.sockets.machine.on) return;
    const size = piece === "end" ? 0 : piece.length;
    this.#underWay += size;
    if (this.#link.state === "black-holed" || this.#stalled.length > 0) {
      this.#stalled.push(piece);
      return;
    }
    const startMs = Math.max(this.#network.time.nowMs, this.#freeAtMs);
    this.#freeAtMs = startMs + (size / this.#link.bytesPerSecond) * 1_000;
    this.#schedule(piece, this.#freeAtMs - this.#network.time.nowMs + this.#network.delayOf(this.#link));
  }

  #schedule(piece: Piece, delayMs: number): void {
    const { time } = this.#network;
    this.#lastAtMs = Math.max(this.#lastAtMs, time.nowMs + delayMs);
    time.after(this.#lastAtMs - time.nowMs, () => this.#arrive(piece));
  }

  #arrive(piece: Piece): void {
    const { peer } = this;
    if (peer === null || this.#lost) return;
    if (this.#link.state === "black-holed" || this.#stalled.length > 0) {
      this.#stalled.push(piece);
      return;
    }
    if (!peer.sockets.machine.on) {
      this.#lost = true;
      return;
    }
    if (peer.closed) {
      // The machine knows of no such connection, and says so.
      if (piece !== "end" && this.#back.state === "open") this.over("the connection was reset");
      return;
    }
    if (piece === "end") {
      if (!peer.#ending) peer.#send("end");
      peer.over("the other side closed the connection");
      return;
    }
    this.#underWay -= piece.length;
    if (this.#link.torn) {
      this.#link.torn = false;
      const cut = Math.floor(piece.length * this.#network.chance.random());
      if (cut > 0) peer.#received(piece.subarray(0, cut));
      this.#stream.die("the connection was reset");
      return;
    }
    peer.#received(piece);
    if (!this.#full || this.closed) return;
    this.#full = false;
    this.sockets.deliver(() => this.events.drain());
  }

  #received(bytes: Buffer): void {
    this.sockets.deliver(() => this.events.data(bytes));
  }
}
