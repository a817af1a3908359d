import { emptyJournal, type Journal } from "../core/types.ts";
import { journalSchema } from "../schema/journal.ts";
import { parseJson } from "../schema/problems.ts";
import type { Files } from "../steps/files.ts";

/**
 * The write-ahead record of one service on this host. What it says is on the disk before what it announces is done.
 */
export class JournalFile {
  readonly #files: Files;
  readonly #path: string;
  #journal: Journal;

  private constructor(files: Files, path: string, journal: Journal) {
    this.#files = files;
    this.#path = path;
    this.#journal = journal;
  }

  /**
   * @param onDamaged told where a file that cannot be read was put aside; the host then goes on from what it observes
   * @throws DeployError when the file exists and cannot be opened
   */
  static async open(
    files: Files,
    path: string,
    onDamaged: (aside: string, problems: readonly string[]) => void,
  ): Promise<JournalFile> {
    const text = await files.readIfThere(path);
    if (text === null) return new JournalFile(files, path, emptyJournal);
    const parsed = parseJson(journalSchema, text);
    // What deployd wrote itself has its own codes and steps in it; the schema only checks that they are texts.
    if (parsed.ok) return new JournalFile(files, path, parsed.value as Journal);
    const aside = `${path}.damaged`;
    await files.renameDurably(path, aside);
    onDamaged(aside, parsed.problems);
    return new JournalFile(files, path, emptyJournal);
  }

  get now(): Journal {
    return this.#journal;
  }

  /** Returns once the change is on the disk. */
  async change(changes: Partial<Journal>): Promise<void> {
    const next = { ...this.#journal, ...changes };
    await this.#files.writeAtomic(this.#path, `${JSON.stringify(next, null, 1)}\n`, 0o600);
    this.#journal = next;
  }
}
