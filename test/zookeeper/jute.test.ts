import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { FrameReader, MalformedFrame } from "../../src/zookeeper/wire/framing.ts";
import { JuteReader, JuteWriter, MalformedRecord, RecordTooLarge, UnfitNumber } from "../../src/zookeeper/wire/jute.ts";
import { readStat, writeStat } from "../../src/zookeeper/wire/node_records.ts";
import { framed } from "../harness/framed.ts";

const int = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

describe("jute records", () => {
  test("every value reads back as it was written", () => {
    const record = fc.record({
      int,
      long,
      bool: fc.boolean(),
      string: fc.string({ unit: "binary" }),
      buffer: fc.option(fc.uint8Array({ maxLength: 10_000 })),
      strings: fc.array(fc.string()),
    });
    fc.assert(
      fc.property(record, (value) => {
        const writer = new JuteWriter();
        writer.int(value.int).long(value.long).bool(value.bool).string(value.string);
        writer.buffer(value.buffer).strings(value.strings);
        const reader = new JuteReader(writer.written);
        expect(reader.int()).toBe(value.int);
        expect(reader.long()).toBe(value.long);
        expect(reader.bool()).toBe(value.bool);
        expect(reader.string()).toBe(value.string.toWellFormed());
        expect(reader.buffer()).toEqual(value.buffer === null ? null : Buffer.from(value.buffer));
        expect(reader.strings()).toEqual(value.strings);
        expect(reader.remaining).toBe(0);
      }),
    );
  });

  test.each([2n ** 63n, -(2n ** 63n) - 1n, 2n ** 64n])("%p is refused where 64 bits are written", (value) => {
    expect(() => new JuteWriter().long(value)).toThrow(UnfitNumber);
  });

  test("a time in milliseconds keeps all its digits", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (millis) => {
        const writer = new JuteWriter().long(BigInt(millis));
        expect(new JuteReader(writer.written).longAsNumber()).toBe(millis);
      }),
    );
  });

  test("a stat keeps all 64 bits of its transaction ids", () => {
    const stat = {
      czxid: 0x7fff_ffff_ffff_fffen,
      mzxid: 0x0100_0000_0000_0001n,
      ctime: 1_700_000_000_123,
      mtime: 1_700_000_000_456,
      version: 3,
      cversion: -1,
      aversion: 2,
      ephemeralOwner: -9_223_372_036_854_775_807n,
      dataLength: 7,
      numChildren: 9,
      pzxid: 12n,
    };
    const writer = new JuteWriter();
    writeStat(writer, stat);
    expect(readStat(new JuteReader(writer.written))).toEqual(stat);
  });

  test.each([10, 1_000, 20_000, 900_000])("a frame of %d bytes is not overwritten by the next", (size) => {
    const writer = new JuteWriter();
    const first = writer.reset().buffer(new Uint8Array(size).fill(1)).frame();
    writer.reset().buffer(new Uint8Array(size).fill(2)).frame();
    expect(first.readInt32BE(0)).toBe(size + 4);
    expect(new JuteReader(first, 4).buffer()).toEqual(Buffer.alloc(size, 1));
    expect(writer.reset().written.length).toBe(0);
  });

  test("a record over the limit is refused while it is written", () => {
    expect(() => new JuteWriter(100).buffer(new Uint8Array(97))).toThrow(RecordTooLarge);
    expect(new JuteWriter(100).buffer(new Uint8Array(96)).written.length).toBe(100);
  });

  test("a record that ends early is malformed, wherever it is cut", () => {
    const whole = new JuteWriter().int(7).string("a name").buffer(Buffer.from("data")).written;
    for (let size = 0; size < whole.length; size += 1) {
      const reader = new JuteReader(whole.subarray(0, size));
      expect(() => {
        reader.int();
        reader.string();
        reader.buffer();
      }).toThrow(MalformedRecord);
    }
  });

  test("data that was read does not change with the frame it came in", () => {
    const frame = Buffer.from(new JuteWriter().buffer(Buffer.from("kept")).written);
    const data = new JuteReader(frame).buffer();
    frame.fill(0);
    expect(data?.toString()).toBe("kept");
  });
});

describe("frames", () => {
  test("come out the same however the stream is cut into chunks", () => {
    const frames = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 30 });
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }), (bodies, sizes) => {
        const stream = Buffer.concat(bodies.map((body) => framed(body)));
        const got: Buffer[] = [];
        const reader = new FrameReader({
          frame: (bytes, start, end) => void got.push(Buffer.from(bytes.subarray(start, end))),
        });
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1;
          reader.push(stream.subarray(at, at + size));
          at += size;
        }
        expect(got).toEqual(bodies.map((body) => Buffer.from(body)));
      }),
    );
  });

  test("20,000 in one chunk are cut in a blink and without copying", () => {
    const body = Buffer.alloc(60, 1);
    const stream = Buffer.concat(Array.from({ length: 20_000 }, () => framed(body)));
    const buffers = new Set<ArrayBufferLike>();
    let frames = 0;
    const startedAt = performance.now();
    const frame = (bytes: Buffer): void => {
      frames += 1;
      buffers.add(bytes.buffer);
    };
    new FrameReader({ frame }).push(stream);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect(frames).toBe(20_000);
    expect([...buffers]).toEqual([stream.buffer]);
  });

  test("a negative length and one over the limit end the stream", () => {
    expect(() => new FrameReader({ frame: () => undefined }).push(Buffer.from([0xff, 0, 0, 0]))).toThrow(
      MalformedFrame,
    );
    expect(() => new FrameReader({ frame: () => undefined }, 10).push(Buffer.from([0, 0, 0, 11]))).toThrow(
      MalformedFrame,
    );
  });
});
