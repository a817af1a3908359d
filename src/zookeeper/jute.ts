import { maxRequestBytes } from "./opcodes.ts";

const utf8 = new TextEncoder();
// A byte order mark at the start of a name is part of the name.
const fromUtf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Thrown while a record is written that does not fit the limit; the caller knows which operation it was. */
export class RecordTooLarge extends Error {
  readonly limit: number;
  constructor(limit: number) {
    super(`the record is larger than ${limit} bytes`);
    this.limit = limit;
  }
}

/** Thrown when the bytes of a record end early or a length in it makes no sense. */
export class MalformedRecord extends Error {}

/**
 * Writes records in Hadoop's jute encoding as ZooKeeper uses it: big-endian, strings and buffers prefixed by a 32-bit
 * length where -1 means null. The buffer is kept between records, so one writer can serve a whole process.
 */
export class JuteWriter {
  #bytes: Buffer;
  #length = 0;
  readonly #limit: number;

  constructor(limit = maxRequestBytes) {
    this.#limit = limit;
    this.#bytes = Buffer.allocUnsafeSlow(Math.min(4096, limit));
  }

  reset(): this {
    this.#length = 0;
    return this;
  }

  /** What was written since `reset`: a view, overwritten by the next record. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  int(value: number): this {
    const at = this.#advance(4);
    this.#bytes.writeInt32BE(value, at);
    return this;
  }

  long(value: bigint): this {
    const at = this.#advance(8);
    this.#bytes.writeBigInt64BE(value, at);
    return this;
  }

  bool(value: boolean): this {
    const at = this.#advance(1);
    this.#bytes[at] = value ? 1 : 0;
    return this;
  }

  string(value: string): this {
    const size = Buffer.byteLength(value);
    this.int(size);
    const at = this.#advance(size);
    utf8.encodeInto(value, this.#bytes.subarray(at, at + size));
    return this;
  }

  buffer(value: Uint8Array | null): this {
    if (value === null) return this.int(-1);
    this.int(value.byteLength);
    const at = this.#advance(value.byteLength);
    this.#bytes.set(value, at);
    return this;
  }

  strings(values: readonly string[]): this {
    this.int(values.length);
    for (const value of values) this.string(value);
    return this;
  }

  #advance(size: number): number {
    const at = this.#length;
    const end = at + size;
    if (end > this.#limit) throw new RecordTooLarge(this.#limit);
    if (end > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(this.#limit, Math.max(end, this.#bytes.length * 2)));
      this.#bytes.copy(grown, 0, 0, at);
      this.#bytes = grown;
    }
    this.#length = end;
    return at;
  }
}

/** Reads what `JuteWriter` writes. It never copies but in `buffer`, whose result outlives the frame. */
export class JuteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(frame: Uint8Array) {
    this.#bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  /** Another reader at the same place. */
  fork(): JuteReader {
    return new JuteReader(this.#bytes.subarray(this.#at));
  }

  int(): number {
    return this.#bytes.readInt32BE(this.#advance(4));
  }

  long(): bigint {
    return this.#bytes.readBigInt64BE(this.#advance(8));
  }

  /** A 64-bit number that is known to be small enough: milliseconds since 1970. */
  longAsNumber(): number {
    const at = this.#advance(8);
    return this.#bytes.readInt32BE(at) * 0x1_0000_0000 + this.#bytes.readUInt32BE(at + 4);
  }

  bool(): boolean {
    return this.#bytes[this.#advance(1)] !== 0;
  }

  string(): string {
    const size = this.int();
    if (size <= 0) return "";
    const at = this.#advance(size);
    return fromUtf8.decode(this.#bytes.subarray(at, at + size));
  }

  /** A copy, or null where the wire says null. */
  buffer(): Buffer | null {
    const size = this.int();
    if (size < 0) return null;
    const at = this.#advance(size);
    // A view would keep the whole socket chunk (512 kB in Bun) alive for as long as the caller keeps a few bytes.
    const copy = Buffer.allocUnsafeSlow(size);
    this.#bytes.copy(copy, 0, at, at + size);
    return copy;
  }

  list<T>(element: (reader: JuteReader) => T): T[] {
    const count = this.int();
    const values: T[] = [];
    for (let index = 0; index < count; index += 1) values.push(element(this));
    return values;
  }

  strings(): string[] {
    return this.list((reader) => reader.string());
  }

  #advance(size: number): number {
    const at = this.#at;
    if (at + size > this.#bytes.length) {
      throw new MalformedRecord(`a record ends at byte ${this.#bytes.length}, but ${at + size} bytes are needed`);
    }
    this.#at = at + size;
    return at;
  }
}
