import { basename, dirname, join } from "node:path";
import type { Files } from "./files.ts";

/** By how much the text may grow from one write to the next and still need no new space: by two failures, and more. */
const HEADROOM_BYTES = 24 * 1024;
const BLOCK_BYTES = 4096;

/** What it does to the disk. */
export type ReservingFiles = Pick<
  Files,
  "readIfThere" | "sizeOf" | "syncDirectory" | "writeAtomic" | "writeOver" | "exchangeDurably"
>;

/**
 * A file of text that can be replaced as a whole on a full disk as well. Beside it lies a spare one, of the same size or
 * more: the new text is written over that, filled up with blanks, flushed, and the two change places in one step. Neither
 * takes space that is not there already. Whoever reads the file finds one text or the other, also after a power cut.
 */
export class ReservedFile {
  readonly #files: ReservingFiles;
  readonly #path: string;
  readonly #spare: string;
  readonly #mode: number;
  /** Of the text in the file, without blanks. */
  #bytes = 0;
  /**
   * Which of the two files has which name is known to be on the disk. Until then a power cut could bring back the one that
   * is the spare now as the file, so it must not be written over.
   */
  #isFirm = false;

  constructor(files: ReservingFiles, path: string, mode: number) {
    this.#files = files;
    this.#path = path;
    this.#spare = join(dirname(path), `.${basename(path)}.spare`);
    this.#mode = mode;
  }

  async read(): Promise<string | null> {
    const text = await this.#files.readIfThere(this.#path);
    this.#bytes = Buffer.byteLength(text?.trimEnd() ?? "");
    return text;
  }

  /** Returns once the text is on the disk. */
  async write(text: string): Promise<void> {
    if (!(await this.#writeOver(text))) {
      const bytes = Buffer.byteLength(text);
      await this.#files.writeAtomic(this.#path, filled(text, sizeFor(bytes)), this.#mode);
    }
    this.#bytes = Buffer.byteLength(text);
    // On a full disk the next write has to do with what there is.
    await this.setAside().catch(() => {});
  }

  /** Sees to it that the next writes need no space. @throws DeployError `disk-full` */
  async setAside(): Promise<void> {
    const size = sizeFor(this.#bytes);
    // The file is the spare one after the next write: one that an older deployd or a person wrote has no blanks.
    const there = await this.#files.sizeOf(this.#path);
    if (there !== null && there < size) {
      const text = await this.#files.readIfThere(this.#path);
      if (text !== null) await this.#files.writeAtomic(this.#path, filled(text.trimEnd(), size), this.#mode);
    }
    if (((await this.#files.sizeOf(this.#spare)) ?? 0) >= size) return;
    await this.#files.writeAtomic(this.#spare, filled("", size), this.#mode);
  }

  /** False where there is no spare file for it. */
  async #writeOver(text: string): Promise<boolean> {
    const size = (await this.#files.sizeOf(this.#spare)) ?? 0;
    if (size < Buffer.byteLength(text)) return false;
    if (!this.#isFirm) await this.#files.syncDirectory(dirname(this.#path));
    this.#isFirm = false;
    if (!(await this.#files.writeOver(this.#spare, filled(text, size)))) return false;
    await this.#files.exchangeDurably(this.#spare, this.#path);
    this.#isFirm = true;
    return true;
  }
}

function sizeFor(bytes: number): number {
  return Math.ceil((bytes + HEADROOM_BYTES) / BLOCK_BYTES) * BLOCK_BYTES;
}

/** To exactly so many bytes; blanks after it are no part of a JSON text. */
function filled(text: string, size: number): string {
  return `${text}${" ".repeat(Math.max(0, size - Buffer.byteLength(text) - 1))}\n`;
}
