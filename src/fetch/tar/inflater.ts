import { constants, createGunzip, createZstdDecompress } from "node:zlib";

export type Compression = "gzip" | "zstd";

// Measured: takes a quarter less time than 64 KiB for builds of small files; 256 KiB gains nothing more.
const OUTPUT_BYTES = 128 * 1024;
// The limit of the zstd program itself. A frame with a larger window could make the agent allocate 2 GiB.
export const MAX_WINDOW_LOG = 27;

/** What is below the streams of node:zlib: one call decompresses what fits into the buffer that it is given. */
interface Handle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputBytes: number,
    output: Uint8Array,
    outputAt: number,
    outputBytes: number,
  ): void;
  // And `onerror`, which it calls with the library's words before the call returns.
}

/**
 * Decompresses without leaving the thread and into one buffer. As a stream of node:zlib does it, with a turn of the event
 * loop, another thread and a fresh buffer for each part, it costs eight times the processor time (measured with 10 MB,
 * which is a fifth of what unpacking a build of 2,000 files costs).
 *
 * It uses the handle that such a stream has for its own synchronous calls. That is no public interface, but part of the
 * Bun that this program is compiled with; the tests unpack by it.
 */
export class Inflater implements Disposable {
  readonly #stream: ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>;
  readonly #handle: Handle;
  /** How many bytes of output and of input the last call has left: in this order. */
  readonly #left: Uint32Array;
  readonly #flush: { readonly goesOn: number; readonly ends: number };
  readonly #output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  #failure: string | null = null;
  #read = 0;
  #isOver = false;

  constructor(compression: Compression) {
    switch (compression) {
      case "gzip":
        this.#stream = createGunzip();
        this.#flush = { goesOn: constants.Z_NO_FLUSH, ends: constants.Z_FINISH };
        break;
      case "zstd":
        this.#stream = createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG } });
        this.#flush = { goesOn: constants.ZSTD_e_continue, ends: constants.ZSTD_e_end };
        break;
    }
    const { handle, left } = insideOf(this.#stream);
    this.#handle = handle;
    this.#left = left;
    Object.assign(handle, {
      onerror: (message: string): void => {
        this.#failure = message;
      },
    });
  }

  /** How many bytes it has used of what it was given. */
  get bytesRead(): number {
    return this.#read;
  }

  /** Whether it wants no more bytes: those that follow are not of the compressed data. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * Yields what comes of these bytes, in parts that are valid until the next one is asked for.
   *
   * @param input empty: the data end here
   * @throws Error with the library's own words
   */
  *inflate(input: Uint8Array): Generator<Uint8Array, void, void> {
    const flush = input.length === 0 ? this.#flush.ends : this.#flush.goesOn;
    for (let at = 0; ;) {
      this.#handle.writeSync(flush, input, at, input.length - at, this.#output, 0, OUTPUT_BYTES);
      if (this.#failure !== null) throw new Error(this.#failure);
      const [outputLeft = 0, inputLeft = 0] = this.#left;
      const used = input.length - at - inputLeft;
      at += used;
      this.#read += used;
      if (outputLeft < OUTPUT_BYTES) yield this.#output.subarray(0, OUTPUT_BYTES - outputLeft);
      if (outputLeft === 0) continue;
      this.#isOver = at < input.length;
      return;
    }
  }

  [Symbol.dispose](): void {
    this.#stream.destroy();
  }
}

function insideOf(stream: object): { handle: Handle; left: Uint32Array } {
  const handle: unknown = Reflect.get(stream, "_handle");
  const left: unknown = Reflect.get(stream, "_writeState");
  if (!isHandle(handle) || !(left instanceof Uint32Array)) throw new Error("node:zlib is not made as it was");
  return { handle, left };
}

function isHandle(handle: unknown): handle is Handle {
  return typeof handle === "object" && handle !== null && typeof Reflect.get(handle, "writeSync") === "function";
}
