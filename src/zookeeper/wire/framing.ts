import { intAt, prefixBytes } from "./jute.ts";

// The most memory allocated when a frame is announced; the rest is allocated as its bytes arrive.
const firstBodyBytes = 256 * 1024;

/** A length prefix that the protocol does not allow: the connection cannot be used any more. */
export class MalformedFrame extends Error {}

export interface FrameSink {
  /** Called with a frame, without its prefix: the bytes from `start` up to `end`, valid until it returns. */
  frame(bytes: Buffer, start: number, end: number): void;
}

/**
 * Splits a TCP stream into length-prefixed frames. There is one per socket: the rest of a broken connection must never be
 * put before the bytes of the next. It loops (a chunk may hold 20,000 frames) and copies only a frame that spans chunks.
 */
export class FrameReader {
  readonly #limit: number;
  readonly #sink: FrameSink;
  readonly #prefix = new Uint8Array(prefixBytes);
  #prefixFilled = 0;
  #body: Buffer | null = null;
  #bodySize = 0;
  #bodyFilled = 0;

  /** @param limit largest frame accepted, in bytes */
  constructor(sink: FrameSink, limit = 64 * 1024 * 1024) {
    this.#sink = sink;
    this.#limit = limit;
  }

  /** @throws MalformedFrame when a length is negative or over the limit */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#body !== null) {
        at += this.#fillBody(this.#body, chunk, at);
        continue;
      }
      if (this.#prefixFilled === 0 && chunk.length - at >= prefixBytes) {
        const size = this.#checked(intAt(chunk, at));
        const end = at + prefixBytes + size;
        if (end <= chunk.length) {
          this.#sink.frame(chunk, at + prefixBytes, end);
          at = end;
        } else {
          this.#expect(size);
          at += prefixBytes;
        }
        continue;
      }
      this.#prefix[this.#prefixFilled] = chunk[at] ?? 0;
      this.#prefixFilled += 1;
      at += 1;
      if (this.#prefixFilled === prefixBytes) {
        this.#prefixFilled = 0;
        const size = this.#checked(intAt(this.#prefix, 0));
        if (size === 0) this.#sink.frame(chunk, at, at);
        else this.#expect(size);
      }
    }
  }

  #checked(size: number): number {
    if (size < 0 || size > this.#limit) throw new MalformedFrame(`a frame of ${size} bytes was announced`);
    return size;
  }

  #expect(size: number): void {
    this.#body = Buffer.allocUnsafeSlow(Math.min(size, firstBodyBytes));
    this.#bodySize = size;
    this.#bodyFilled = 0;
  }

  #fillBody(body: Buffer, chunk: Buffer, at: number): number {
    const taken = Math.min(this.#bodySize - this.#bodyFilled, chunk.length - at);
    const filled = this.#bodyFilled + taken;
    let target = body;
    if (filled > body.length) {
      target = Buffer.allocUnsafeSlow(Math.min(this.#bodySize, Math.max(filled, body.length * 2)));
      target.set(body.subarray(0, this.#bodyFilled));
      this.#body = target;
    }
    target.set(chunk.subarray(at, at + taken), this.#bodyFilled);
    this.#bodyFilled = filled;
    if (filled === this.#bodySize) {
      this.#body = null;
      this.#sink.frame(target, 0, filled);
    }
    return taken;
  }
}
