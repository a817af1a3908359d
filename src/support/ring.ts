const NEWLINE = 0x0a;

/** The last bytes of an endless output. It needs `maxBytes` of memory, however much passes through it. */
export interface OutputTail {
  push(chunk: Uint8Array): void;
  /** The last lines that fit, without the first one if it was cut (unless that is all there is). */
  text(): string;
}

/** @param maxBytes how much is kept, in bytes */
export function outputTail(maxBytes: number): OutputTail {
  const kept = new Uint8Array(maxBytes);
  let length = 0;
  let lost = false;
  return {
    push: (chunk) => {
      const fresh = chunk.length > maxBytes ? chunk.subarray(chunk.length - maxBytes) : chunk;
      const room = maxBytes - fresh.length;
      if (fresh.length < chunk.length || length > room) lost = true;
      const old = Math.min(length, room);
      kept.copyWithin(0, length - old, length);
      kept.set(fresh, old);
      length = old + fresh.length;
    },
    text: () => wholeLines(kept.subarray(0, length), lost),
  };
}

function wholeLines(bytes: Uint8Array, cut: boolean): string {
  if (!cut) return new TextDecoder().decode(bytes);
  const newline = bytes.indexOf(NEWLINE);
  if (newline !== -1 && newline < bytes.length - 1) return new TextDecoder().decode(bytes.subarray(newline + 1));
  // It is one endless line: start at a whole character, not in the middle of one (10xxxxxx continues one in UTF-8).
  const start = bytes.findIndex((byte) => (byte & 0xc0) !== 0x80);
  return new TextDecoder().decode(bytes.subarray(Math.max(0, start)));
}
