import { noTar } from "./foreign_format.ts";
import {
  BLOCK_BYTES,
  decodeText,
  hasValidChecksum,
  hostileArchive,
  invalidArchive,
  isZeroBlock,
  readNumber,
  readText,
  SPARSE_HINT,
} from "./fields.ts";
import { type Overrides, readPax } from "./pax.ts";

export type TarEntry = {
  /** As the archive has it: no rule has checked it yet. */
  readonly path: string;
  readonly mode: number;
  readonly mtimeSeconds: number;
} & (
  | { readonly kind: "file"; readonly size: number }
  | { readonly kind: "directory" }
  | { readonly kind: "symlink" | "hardlink"; readonly target: string }
);

/** Receives what the archive contains, in its order. After an entry of kind `file` come its data, then `endOfFile`. */
export interface TarSink {
  entry(entry: TarEntry): void;
  data(bytes: Uint8Array): void;
  endOfFile(): void;
}

type MetaType = "pax" | "pax-global" | "long-name" | "long-target";

type State =
  | { readonly at: "header" }
  | { readonly at: "data"; remaining: number; readonly padding: number }
  | { readonly at: "padding"; remaining: number }
  | { readonly at: "meta"; readonly type: MetaType; readonly bytes: Buffer; filled: number }
  | { readonly at: "end"; zeroBlocks: number };

const HEADER: State = { at: "header" };
const MAX_META_BYTES = 64 * 1024;
const EMPTY_OVERRIDES: Overrides = Object.freeze({});

function paddingAfter(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
}

/**
 * Reads ustar, pax and GNU long names as bytes are pushed in (POSIX.1-2017 "pax", GNU tar manual "Basic Tar Format"). It
 * refuses whatever two readers could understand differently, and whatever is not a file, a directory or a link: `step`
 * throws `archive-invalid` or `archive-hostile` at once.
 */
export class TarReader {
  readonly #sink: TarSink;
  readonly #block = Buffer.alloc(BLOCK_BYTES);
  #blockFilled = 0;
  #state: State = HEADER;
  #overrides: Overrides = EMPTY_OVERRIDES;
  /** Whether a header was read: from then on it is known to be a tar. */
  #hasBegun = false;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /** To be called after the last byte; throws `archive-invalid` if the archive is not complete. */
  end(): void {
    if (!this.#hasBegun && this.#blockFilled > 0) {
      const { what, hint } = noTar(this.#block.subarray(0, this.#blockFilled));
      throw invalidArchive(what, hint);
    }
    if (this.#state.at !== "end" || this.#state.zeroBlocks < 2 || this.#blockFilled > 0) {
      throw invalidArchive("it is cut short", "Pack the build again, and let the packer finish; upload it again.");
    }
  }

  /**
   * Takes one step into the chunk from `at` on (at most one entry) and returns how many bytes it consumed. The caller
   * continues with the rest when it likes, so that it can pause between entries.
   */
  step(chunk: Uint8Array, at: number): number {
    const state = this.#state;
    switch (state.at) {
      case "data": {
        const taken = Math.min(state.remaining, chunk.length - at);
        this.#sink.data(chunk.subarray(at, at + taken));
        state.remaining -= taken;
        if (state.remaining === 0) this.#finishFile(state.padding);
        return taken;
      }
      case "padding": {
        const taken = Math.min(state.remaining, chunk.length - at);
        state.remaining -= taken;
        if (state.remaining === 0) this.#state = HEADER;
        return taken;
      }
      case "meta": {
        const taken = Math.min(state.bytes.length - state.filled, chunk.length - at);
        state.bytes.set(chunk.subarray(at, at + taken), state.filled);
        state.filled += taken;
        if (state.filled === state.bytes.length) this.#finishMeta(state.type, state.bytes);
        return taken;
      }
      case "header":
      case "end": {
        if (this.#blockFilled === 0 && chunk.length - at >= BLOCK_BYTES) {
          this.#readBlock(chunk.subarray(at, at + BLOCK_BYTES));
          return BLOCK_BYTES;
        }
        const taken = Math.min(BLOCK_BYTES - this.#blockFilled, chunk.length - at);
        this.#block.set(chunk.subarray(at, at + taken), this.#blockFilled);
        this.#blockFilled += taken;
        if (this.#blockFilled === BLOCK_BYTES) {
          this.#blockFilled = 0;
          this.#readBlock(this.#block);
        }
        return taken;
      }
    }
  }

  #readBlock(block: Uint8Array): void {
    const zero = isZeroBlock(block);
    if (this.#state.at === "end") {
      if (!zero)
        throw invalidArchive(
          "data follows its end",
          "Make it by one run of tar -c: archives joined by cat are not one.",
        );
      this.#state.zeroBlocks += 1;
    } else if (zero) {
      if (this.#overrides !== EMPTY_OVERRIDES) throw invalidArchive("it ends after an extended header");
      this.#state = { at: "end", zeroBlocks: 1 };
    } else {
      this.#readHeader(block);
    }
  }

  #readHeader(block: Uint8Array): void {
    if (!hasValidChecksum(block)) {
      const { what, hint } = this.#hasBegun ? { what: "a header's checksum is wrong", hint: undefined } : noTar(block);
      throw invalidArchive(what, hint);
    }
    this.#hasBegun = true;
    const type = String.fromCharCode(block[156] ?? 0);
    const size = readNumber(block, 124, 12);
    switch (type) {
      case "x":
        return this.#startMeta("pax", size);
      case "g":
        return this.#startMeta("pax-global", size);
      case "L":
        return this.#startMeta("long-name", size);
      case "K":
        return this.#startMeta("long-target", size);
      default:
        return this.#readEntry(block, type, size);
    }
  }

  #startMeta(type: MetaType, size: number): void {
    if (size < 1 || size > MAX_META_BYTES) {
      throw invalidArchive(`an extended header has ${size} bytes, but 1 to ${MAX_META_BYTES} are allowed`);
    }
    this.#state = { at: "meta", type, bytes: Buffer.alloc(size), filled: 0 };
  }

  #finishMeta(type: MetaType, bytes: Buffer): void {
    const padding = paddingAfter(bytes.length);
    this.#state = padding === 0 ? HEADER : { at: "padding", remaining: padding };
    switch (type) {
      case "pax-global":
        readPax(bytes, "global");
        return;
      case "pax":
        return this.#override(readPax(bytes, "entry"));
      case "long-name":
        return this.#override({ path: longName(bytes) });
      case "long-target":
        return this.#override({ linkTarget: longName(bytes) });
    }
  }

  #override(more: Overrides): void {
    for (const key of ["path", "linkTarget", "size"] as const) {
      if (more[key] !== undefined && this.#overrides[key] !== undefined) {
        throw hostileArchive(String(more[key]), "two extended headers name the same entry");
      }
    }
    this.#overrides = { ...this.#overrides, ...more };
  }

  #readEntry(block: Uint8Array, type: string, headerSize: number): void {
    const overrides = this.#overrides;
    this.#overrides = EMPTY_OVERRIDES;
    const path = overrides.path ?? headerPath(block);
    const size = overrides.size ?? headerSize;
    const mode = readNumber(block, 100, 8);
    const mtimeSeconds = overrides.mtimeSeconds ?? readNumber(block, 136, 12);
    if (size < 0) throw invalidArchive("a header has a negative size");
    if (size === 0 && path.endsWith("/") && isOldDirectory(block, type)) {
      this.#state = HEADER;
      return this.#sink.entry({ kind: "directory", path, mode, mtimeSeconds });
    }
    if (type === "0" || type === "\0") {
      this.#sink.entry({ kind: "file", path, mode, mtimeSeconds, size });
      if (size === 0) this.#finishFile(0);
      else this.#state = { at: "data", remaining: size, padding: paddingAfter(size) };
      return;
    }
    const what = KIND_OF_TYPE.get(type) ?? `an entry of the unknown type "${type}"`;
    if (what !== "directory" && what !== "symlink" && what !== "hardlink") {
      const why = `it is ${what}, but only files, directories and links are allowed`;
      throw hostileArchive(path, why, HINT_FOR_TYPE.get(type));
    }
    // Readers disagree on whether to skip such data, so one of them would find entries that another does not.
    if (size !== 0) throw hostileArchive(path, `it is a ${what} with ${size} bytes of data`);
    this.#state = HEADER;
    if (what === "directory") return this.#sink.entry({ kind: what, path, mode, mtimeSeconds });
    const target = overrides.linkTarget ?? readText(block, 157, 100);
    return this.#sink.entry({ kind: what, path, mode, mtimeSeconds, target });
  }

  #finishFile(padding: number): void {
    this.#state = padding === 0 ? HEADER : { at: "padding", remaining: padding };
    this.#sink.endOfFile();
  }
}

const KIND_OF_TYPE = new Map([
  ["1", "hardlink"],
  ["2", "symlink"],
  ["3", "a character device"],
  ["4", "a block device"],
  ["5", "directory"],
  ["6", "a fifo"],
  ["7", "a contiguous file"],
  ["D", "a directory of an incremental backup"],
  ["M", "the rest of a file on another volume"],
  ["S", "a sparse file"],
  ["V", "a volume's label"],
]);

const NOT_A_FILE_HINT = "Leave it out with --exclude; a service makes its sockets, fifos and devices when it starts.";
const HINT_FOR_TYPE = new Map([
  ["3", NOT_A_FILE_HINT],
  ["4", NOT_A_FILE_HINT],
  ["6", NOT_A_FILE_HINT],
  ["D", "Make the archive without -g (--listed-incremental) and -G."],
  ["M", "Make the archive without -M (--multi-volume)."],
  ["S", SPARSE_HINT],
  ["V", "Make the archive without -V (--label)."],
]);

/** Before ustar a directory was a file whose name ends in a slash, and every reader treats it as one. */
function isOldDirectory(block: Uint8Array, type: string): boolean {
  const magic = Buffer.from(block.subarray(257, 262)).toString("latin1");
  return magic === "\0\0\0\0\0" && (type === "\0" || type === "0");
}

function headerPath(block: Uint8Array): string {
  const name = readText(block, 0, 100);
  // The prefix exists only in POSIX ustar; GNU tar stores times and sparse maps in its place.
  const isUstar = Buffer.from(block.subarray(257, 263)).toString("latin1") === "ustar\0";
  const prefix = isUstar ? readText(block, 345, 155) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** GNU's long name: the text, followed by NULs. */
function longName(bytes: Buffer): string {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  const text = decodeText(bytes.subarray(0, end));
  if (text.includes("\0")) throw hostileArchive(text, "the name holds a NUL");
  return text;
}
