import { constants } from "node:fs";
import { type FileHandle, open, readFile, writeFile } from "node:fs/promises";
import { type DownloadOrigin, parseDownloadOrigin } from "../schema/download_origin.ts";
import { writeError } from "../support/file_error.ts";
import { originPath, withAnswer } from "./origin.ts";
import type { Spool } from "./pump.ts";

const FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;

/** A spool on this host's disk, with the record of its origin beside it. */
export class FileSpool implements Spool {
  readonly #file: FileHandle;
  readonly #path: string;
  #length: number;
  #origin: DownloadOrigin;

  private constructor(file: FileHandle, path: string, length: number, origin: DownloadOrigin) {
    this.#file = file;
    this.#path = path;
    this.#length = length;
    this.#origin = origin;
  }

  /** Opens the file, and creates it if there is none. */
  static async open(path: string): Promise<FileSpool> {
    let file: FileHandle;
    try {
      file = await open(path, FLAGS, 0o600);
    } catch (error) {
      throw writeError("Cannot open the file for a download", path, 0, error);
    }
    try {
      const length = (await file.stat()).size;
      const origin = parseDownloadOrigin(await readFile(originPath(path), "utf8").catch(() => null));
      return new FileSpool(file, path, length, origin);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get length(): number {
    return this.#length;
  }

  get validator(): string | null {
    return this.#length === 0 ? null : this.#origin.validator;
  }

  async restart(): Promise<void> {
    await this.#file.truncate(0);
    this.#length = 0;
  }

  async begin(brings: "the whole" | "the rest", validator: string | null): Promise<void> {
    if (brings === "the whole") await this.restart();
    // The origin is recorded before the bytes: if a kill leaves it half written, nothing is known of them.
    this.#origin = withAnswer(this.#origin, brings, validator);
    try {
      await writeFile(originPath(this.#path), JSON.stringify(this.#origin), { mode: 0o600 });
    } catch (error) {
      throw this.#unstored(error);
    }
  }

  async append(bytes: Uint8Array): Promise<void> {
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

  async flush(): Promise<void> {
    try {
      await this.#file.sync();
    } catch (error) {
      throw this.#unstored(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  #unstored(error: unknown): Error {
    return writeError("Cannot store the download", this.#path, this.#length, error);
  }
}
