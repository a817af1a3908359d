import { constants } from "node:fs";
import { type FileHandle, open, readFile, writeFile } from "node:fs/promises";
import { type DownloadOrigin, parseDownloadOrigin } from "../schema/download_origin.ts";
import { asDiskError } from "./disk_error.ts";
import { fetchFailed } from "./fetch_error.ts";
import { printable } from "./printable.ts";

const FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;

/** The file beside a download that says what its bytes are from. */
export function originPath(spool: string): string {
  return `${spool}.origin`;
}

/**
 * The file a download is written to. What an earlier attempt left in it is taken for the beginning of the same download,
 * as far as the server confirms that; whether the whole is right is decided by its digest afterwards.
 */
export class Spool implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #url: URL;
  readonly #size: number;
  #length: number;
  #origin: DownloadOrigin;

  private constructor(
    file: FileHandle,
    path: string,
    { url, size, length, origin }: { url: URL; size: number; length: number; origin: DownloadOrigin },
  ) {
    this.#file = file;
    this.#path = path;
    this.#url = url;
    this.#size = size;
    this.#length = length;
    this.#origin = origin;
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
      const origin = parseDownloadOrigin(await readFile(originPath(path), "utf8").catch(() => null));
      const spool = new Spool(file, path, { url, size, length, origin });
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

  /** By which the server knows again what the bytes are part of; null when it gave nothing, or there are none. */
  get validator(): string | null {
    return this.#length === 0 ? null : this.#origin.validator;
  }

  /** Forgets all bytes. */
  async restart(): Promise<void> {
    await this.#file.truncate(0);
    this.#length = 0;
  }

  /** The bytes of an answer follow: of the whole, or of what follows those that are there. */
  async begin(from: "the start" | "the end", validator: string | null): Promise<void> {
    const { isAnew } = this.#origin;
    if (from === "the start") {
      await this.restart();
      await this.#note({ answers: 1, validator, isAnew });
    } else {
      const answers = this.#length === 0 ? 1 : this.#origin.answers + 1;
      await this.#note({ answers, validator: validator ?? this.validator, isAnew });
    }
  }

  /** @throws DeployError `fetch-failed` when the download has more bytes than it should, `disk-full` */
  async append(bytes: Uint8Array): Promise<void> {
    if (this.#length + bytes.length > this.#size) {
      // Nothing of it can be the build, so the next attempt must not go on from here.
      await this.restart();
      throw otherLength(this.#url, this.#size, "it has more");
    }
    try {
      let at = 0;
      while (at < bytes.length) {
        const { bytesWritten } = await this.#file.write(bytes, at, bytes.length - at, this.#length);
        at += bytesWritten;
        this.#length += bytesWritten;
      }
    } catch (error) {
      throw this.#unstored(error);
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
      throw this.#unstored(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  /** Before the bytes: where a kill leaves half of it, nothing is known of them. */
  async #note(origin: DownloadOrigin): Promise<void> {
    this.#origin = origin;
    try {
      await writeFile(originPath(this.#path), JSON.stringify(origin), { mode: 0o600 });
    } catch (error) {
      throw this.#unstored(error);
    }
  }

  #unstored(error: unknown): Error {
    return asDiskError(error, `Cannot store the download in ${printable(this.#path)}`, this.#path, this.#length);
  }
}

/**
 * What was sent is not the build. It may be from somebody in between, a portal or a page that says that the server is
 * away, and be right the next time.
 *
 * @param got what there is instead of `size` bytes
 */
export function otherLength(url: URL, size: number, got: string): Error {
  return fetchFailed(url, `expected ${size} bytes, but ${got}`, {
    retry: true,
    hint: "If it stays so, something else than the registered build is stored there: upload it again, or fix its URL.",
  });
}
