import { basename, dirname, join } from "node:path";
import type { Files } from "./files.ts";

/** How much the text may grow from one write to the next without new disk space: enough for two failures and more. */
const HEADROOM_BYTES = 24 * 1024;
const BLOCK_BYTES = 4096;

/** The operations on the disk that it uses. */
export type ReservingFiles = Pick<
  Files,
  "readIfThere" | "sizeOf" | "syncDirectory" | "writeAtomic" | "writeOver" | "exchangeDurably"
>;

/**
 * A text file that can be replaced as a whole even on a full disk. Beside it is a spare file of at least the same size:
 * the new text is written over that one, padded with blanks and flushed, and then the two are exchanged in one step.
 * Neither needs additional space. A reader finds one text or the other, also after a power cut.
 */
export class ReservedFile {
  readonly #files: ReservingFiles;
  readonly #path: string;
  readonly #spare: string;
  readonly #mode: number;
  /** The length of the text in the file, without the padding. */
  #bytes = 0;
  /**
   * Whether the last exchange of the two names is known to be on the disk. Until then a power cut could make the spare
   * file the file again, so it must not be overwritten.
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
    // On a full disk, the next write has to make do with what there is.
    await this.setAside().catch(() => {});
  }

  /** Reserves the space for the next writes. @throws DeployError `disk-full` */
  async setAside(): Promise<void> {
    const size = sizeFor(this.#bytes);
    // After the next write this file is the spare one, so it is padded too: one that an older deployd or a person wrote
    // is not.
    const there = await this.#files.sizeOf(this.#path);
    if (there !== null && there < size) {
      const text = await this.#files.readIfThere(this.#path);
      if (text !== null) await this.#files.writeAtomic(this.#path, filled(text.trimEnd(), size), this.#mode);
    }
    if (((await this.#files.sizeOf(this.#spare)) ?? 0) >= size) return;
    await this.#files.writeAtomic(this.#spare, filled("", size), this.#mode);
  }

  /** False where there is no usable spare file. */
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

/** Pads the text to exactly this many bytes; blanks after it are not part of the JSON. */
function filled(text: string, size: number): string {
  return `${text}${" ".repeat(Math.max(0, size - Buffer.byteLength(text) - 1))}\n`;
}
