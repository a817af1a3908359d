import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { asDiskError } from "./disk_error.ts";
import { fetchFailed } from "./fetch_error.ts";
import { printable } from "./printable.ts";

const FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;

/**
 * The file a download is written to. What an earlier attempt left in it is the beginning of the same download; whether
 * the whole is right is decided by its digest afterwards.
 */
export class Spool implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #url: URL;
  readonly #size: number;
  #length: number;

  private constructor(file: FileHandle, path: string, url: URL, size: number, length: number) {
    this.#file = file;
    this.#path = path;
    this.#url = url;
    this.#size = size;
    this.#length = length;
  }

  /** @param size how many bytes the download has when it is complete */
  static async open(path: string, url: URL, size: number): Promise<Spool> {
    let file: FileHandle;
    try {
      file = await open(path, FLAGS, 0o600);
    } catch (error) {
      throw asDiskError(error, "Cannot open the file for a download", path, 0);
    }
    try {
      const length = (await file.stat()).size;
      const spool = new Spool(file, path, url, size, length);
      // Longer than the build can only be something else.
      if (length > size) await spool.restart();
      return spool;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get length(): number {
    return this.#length;
  }

  get isComplete(): boolean {
    return this.#length === this.#size;
  }

  /** Forgets all bytes. */
  async restart(): Promise<void> {
    await this.#file.truncate(0);
    this.#length = 0;
  }

  /** @throws DeployError `fetch-failed` when the download has more bytes than it should, `disk-full` */
  async append(bytes: Uint8Array): Promise<void> {
    if (this.#length + bytes.length > this.#size) {
      // Nothing of it can be the build, so the next attempt must not go on from here.
      await this.restart();
      throw oversized(this.#url, this.#size);
    }
    try {
      let at = 0;
      while (at < bytes.length) {
        const { bytesWritten } = await this.#file.write(bytes, at, bytes.length - at, this.#length);
        at += bytesWritten;
        this.#length += bytesWritten;
      }
    } catch (error) {
      throw asDiskError(error, `Cannot store the download in ${printable(this.#path)}`, this.#path, this.#length);
    }
  }

  /** Puts all bytes on the disk; throws when the download is too short. */
  async finish(): Promise<void> {
    if (!this.isComplete) {
      throw fetchFailed(this.#url, `got ${this.#length} of ${this.#size} bytes`, {
        retry: true,
        hint: "The next attempt goes on where this one ended.",
      });
    }
    try {
      await this.#file.sync();
    } catch (error) {
      throw asDiskError(error, `Cannot store the download in ${printable(this.#path)}`, this.#path, this.#length);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

export function oversized(url: URL, size: number, announced?: number): Error {
  const got = announced === undefined ? "it has more" : `the server announces ${announced}`;
  return fetchFailed(url, `expected ${size} bytes, but ${got}`, {
    retry: false,
    hint: "Something else than the registered build is stored there: upload it again.",
  });
}
