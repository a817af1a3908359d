import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { outputTail } from "../../src/support/ring.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("a tail keeps everything that fits", () => {
  const tail = outputTail(16);
  tail.push(bytes("one\n"));
  tail.push(bytes("two\n"));
  expect(tail.text()).toBe("one\ntwo\n");
});

test("a tail drops the line that was cut at its front", () => {
  const tail = outputTail(10);
  tail.push(bytes("first line\nsecond\n"));
  expect(tail.text()).toBe("second\n");
});

test("a tail keeps the end of one line that is longer than itself", () => {
  const tail = outputTail(4);
  tail.push(bytes("abcdefgh"));
  expect(tail.text()).toBe("efgh");
});

test("a tail never begins in the middle of a character", () => {
  const tail = outputTail(4);
  tail.push(bytes("aéé"));
  expect(tail.text()).toBe("éé");
  tail.push(bytes("x"));
  expect(tail.text()).toBe("éx");
});

test("however the output is cut into chunks, the tail is the same end of it, and never longer than allowed", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ maxLength: 20 }), { maxLength: 20 }),
      fc.integer({ min: 1, max: 40 }),
      (chunks, max) => {
        const pieces = outputTail(max);
        for (const chunk of chunks) pieces.push(bytes(chunk));
        const whole = outputTail(max);
        whole.push(bytes(chunks.join("")));
        expect(pieces.text()).toBe(whole.text());
        expect(chunks.join("").endsWith(pieces.text())).toBe(true);
        expect(bytes(pieces.text()).length).toBeLessThanOrEqual(max);
      },
    ),
  );
});
