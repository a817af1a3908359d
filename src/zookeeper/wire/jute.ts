import { maxRequestBytes } from "./opcodes.ts";

/** Thrown while writing a record that exceeds the limit; the caller knows which operation it was. */
export class RecordTooLarge extends Error {
  readonly limit: number;
  constructor(limit: number) {
    super(`the record is larger than ${limit} bytes`);
    this.limit = limit;
  }
}

/** Thrown while writing a number that its field cannot hold: it would arrive as another number. */
export class UnfitNumber extends Error {}

/** Thrown if the bytes of a record end early or a length in it is invalid. */
export class MalformedRecord extends Error {}

// Scratch space for 64-bit numbers: of all ways to read and write a bigint this makes the least garbage.
const scratch = new DataView(new ArrayBuffer(8));

/** How many bytes the length prefix of a frame takes. */
export const prefixBytes = 4;

// A thousand idle sessions have a writer each, so it starts small and keeps no more than this between records.
const firstBytes = 64;
const keptBytes = 16 * 1024;
const nothing = Buffer.alloc(0);

/**
 * Writes records in Hadoop's jute encoding as ZooKeeper uses it: big-endian, strings and buffers prefixed by a 32-bit
 * length where -1 means null. The buffer is reused for the next record, unless a large record is handed out with it.
 */
export class JuteWriter {
  /** The record is written after space for its length, so that a frame can be sent with one copy. */
  #bytes: Buffer = nothing;
  #length = prefixBytes;
  readonly #limit: number;

  constructor(limit = maxRequestBytes) {
    this.#limit = limit + prefixBytes;
  }

  reset(): this {
    this.#length = prefixBytes;
    return this;
  }

  /** What was written since `reset`: a view, overwritten by the next record. */
  get written(): Buffer {
    return this.#bytes.subarray(prefixBytes, this.#length);
  }

  /** What was written since `reset`, with its length in front as it goes over the wire. Nothing overwrites it. */
  frame(): Buffer {
    this.#room(this.#length);
    const bytes = this.#bytes;
    putInt(bytes, 0, this.#length - prefixBytes);
    if (bytes.length <= keptBytes) return copyOf(bytes, 0, this.#length);
    this.#bytes = nothing;
    return bytes.subarray(0, this.#length);
  }

  /** @throws UnfitNumber */
  int(value: number): this {
    if (typeof value !== "number" || (value | 0) !== value)
      throw new UnfitNumber(`${value} is no whole number of 32 bits`);
    const at = this.#advance(4);
    putInt(this.#bytes, at, value);
    return this;
  }

  /** @throws UnfitNumber */
  long(value: bigint): this {
    if (BigInt.asIntN(64, value) !== value) throw new UnfitNumber(`${value} is no whole number of 64 bits`);
    scratch.setBigInt64(0, value);
    return this.int(scratch.getInt32(0)).int(scratch.getInt32(4));
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
    this.#bytes.write(value, at, size);
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
    if (end > this.#limit) throw new RecordTooLarge(this.#limit - prefixBytes);
    this.#room(end);
    this.#length = end;
    return at;
  }

  #room(end: number): void {
    if (end <= this.#bytes.length) return;
    const size = Math.max(end, firstBytes, this.#bytes.length * 2);
    const grown = Buffer.allocUnsafeSlow(Math.min(this.#limit, size));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

/**
 * Reads what `JuteWriter` writes, between two offsets of a buffer. It copies only in `buffer`, whose result outlives the
 * bytes. Every event and every answer is read here, so it makes no views of the bytes either.
 */
export class JuteReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  /** Another reader at the same position. */
  fork(): JuteReader {
    return new JuteReader(this.#bytes, this.#at, this.#end);
  }

  /** A copy of what has not been read, valid for as long as it is kept. */
  rest(): Buffer {
    return copyOf(this.#bytes, this.#at, this.#end);
  }

  int(): number {
    return intAt(this.#bytes, this.#advance(4));
  }

  long(): bigint {
    const at = this.#advance(8);
    scratch.setInt32(0, intAt(this.#bytes, at));
    scratch.setInt32(4, intAt(this.#bytes, at + 4));
    return scratch.getBigInt64(0);
  }

  /** A 64-bit number that is known to be small enough for a number: milliseconds since 1970. */
  longAsNumber(): number {
    const at = this.#advance(8);
    return intAt(this.#bytes, at) * 0x1_0000_0000 + (intAt(this.#bytes, at + 4) >>> 0);
  }

  bool(): boolean {
    return this.#bytes[this.#advance(1)] !== 0;
  }

  string(): string {
    const size = this.int();
    if (size <= 0) return "";
    const at = this.#advance(size);
    return this.#bytes.toString("utf8", at, at + size);
  }

  /** A copy, or null if the encoded value is null. */
  buffer(): Buffer | null {
    const size = this.int();
    if (size < 0) return null;
    const at = this.#advance(size);
    // A view would keep the whole socket chunk (512 kB in Bun) alive for as long as the caller keeps a few bytes.
    return copyOf(this.#bytes, at, at + size);
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
    if (at + size > this.#end) {
      throw new MalformedRecord(`a record ends ${this.#end - at} bytes on, but ${size} are needed`);
    }
    this.#at = at + size;
    return at;
  }
}

function copyOf(bytes: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(end - start);
  bytes.copy(copy, 0, start, end);
  return copy;
}

/** The signed 32-bit number at a place of `bytes`. */
export function intAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
}

/** Puts a 32-bit number at a place of `bytes`. */
export function putInt(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
