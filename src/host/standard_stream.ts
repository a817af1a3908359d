import { fstatSync, readFileSync, write } from "node:fs";
import { ptr } from "bun:ffi";
import type { Clock } from "../support/clock.ts";
import { errorCodeOf } from "../support/file_error.ts";
import { libc } from "./libc.ts";

/** poll(2) always reports these: the other end is gone. */
const POLLERR_OR_POLLHUP = 0x8 | 0x10;
const O_CLOEXEC = 0o2000000;
const LOOK_MS = 500;
const AGAIN_MS = 10;

/** Why nothing more can be written. */
export interface StreamTrouble {
  /** True if nobody reads any more; otherwise the text could not be stored. */
  readonly readerGone: boolean;
  readonly text: string;
}

/**
 * Standard output, or standard error. When the process ends, the runtime's own streams lose what a slow reader has not
 * taken; they report nothing about a full disk, and end the program with a stack trace if nobody reads. This one writes
 * everything in order, and reports once if it cannot.
 */
export class StandardStream {
  readonly #fd: number;
  readonly #clock: Clock;
  readonly #onTrouble: (trouble: StreamTrouble) => void;
  #written: Promise<void> = Promise.resolve();
  #begun = false;
  #trouble: StreamTrouble | null = null;

  /** @param onTrouble called once, when the first text is lost or the reader is gone */
  constructor(fd: 1 | 2, clock: Clock, onTrouble: (trouble: StreamTrouble) => void = () => {}) {
    this.#fd = fd;
    this.#clock = clock;
    this.#onTrouble = onTrouble;
  }

  get trouble(): StreamTrouble | null {
    return this.#trouble;
  }

  write(text: string): void {
    if (text === "") return;
    if (!this.#begun) this.#begin();
    const bytes = Buffer.from(text);
    this.#written = this.#written.then(() => this.#writeAll(bytes));
  }

  /** Resolves when everything is written, or cannot be. */
  async flushed(): Promise<void> {
    await this.#written;
  }

  #begin(): void {
    this.#begun = true;
    if (wasClosed(this.#fd)) this.#fail({ readerGone: false, text: "it is closed" });
    // A program that only waits writes nothing, and would never learn that its reader is gone. Before the first output
    // this does not matter: a command whose output is thrown away still does what it was told.
    else if (hasReader(this.#fd)) this.#look();
  }

  #look(): void {
    if (this.#trouble !== null) return;
    if (readerIsGone(this.#fd)) this.#fail({ readerGone: true, text: "nobody reads it" });
    else this.#clock.afterIdly(LOOK_MS, () => this.#look());
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length && this.#trouble === null;) {
      try {
        from += await writeSome(this.#fd, bytes.subarray(from));
      } catch (error) {
        const code = errorCodeOf(error);
        // Another process with the same pipe has made it non-blocking, which applies to everybody who shares it.
        if (code === "EAGAIN") await this.#clock.sleep(AGAIN_MS);
        else this.#fail({ readerGone: code === "EPIPE", text: textOf(error) });
      }
    }
  }

  #fail(trouble: StreamTrouble): void {
    if (this.#trouble !== null) return;
    this.#trouble = trouble;
    this.#onTrouble(trouble);
  }
}

/** Writes in a thread of the pool, so that a reader that takes nothing for an hour does not block this program. */
function writeSome(fd: number, bytes: Uint8Array): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  write(fd, bytes, 0, bytes.length, null, (error, count) => (error === null ? resolve(count) : reject(error)));
  return promise;
}

/**
 * True if the process was started with this stream closed: the runtime then opens /dev/null in its place, with
 * close-on-exec, which an inherited descriptor never has.
 */
function wasClosed(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0;
  } catch {
    return false;
  }
}

function hasReader(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    return stat.isFIFO() || stat.isSocket();
  } catch {
    return false;
  }
}

function readerIsGone(fd: number): boolean {
  const asked = new DataView(new ArrayBuffer(8));
  asked.setInt32(0, fd, true);
  const { poll } = libc();
  return poll(ptr(asked), 1n, 0) > 0 && (asked.getInt16(6, true) & POLLERR_OR_POLLHUP) !== 0;
}

/** Extracts "ENOSPC, no space left on device" from "ENOSPC: no space left on device, write". */
function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^([A-Z0-9]+): (.*), write$/, "$1, $2");
}
