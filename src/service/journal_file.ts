import { asDeployError, DeployError } from "../core/errors.ts";
import { journalAfter, type JournalEvent } from "../core/journal.ts";
import { emptyJournal, type Journal } from "../schema/journal.ts";
import { readJournal, type JournalReading } from "../schema/journal_versions.ts";
import type { Files } from "../steps/files.ts";
import { ReservedFile, type ReservingFiles } from "../steps/reserved_file.ts";

export type JournalFiles = ReservingFiles & Pick<Files, "renameDurably">;
type OnDamaged = (aside: string, problems: readonly string[]) => void;

/**
 * The write-ahead record of one service on this host. Each entry is on the disk before the action that it announces is
 * done, even when the disk is full.
 *
 * A file that cannot be opened, or whose content this agent cannot use, is left as it is: forgetting an activation is
 * worse than standing still. Only a file that is no journal at all is put aside: nothing more can be lost there, and
 * waiting for a person would keep a service down after a power cut.
 */
export class JournalFile {
  readonly #files: JournalFiles;
  readonly #file: ReservedFile;
  readonly #path: string;
  readonly #onDamaged: OnDamaged;
  #journal: Journal = emptyJournal;
  #problem: DeployError | null = null;
  #mayBeAtWork = false;
  #written: Promise<void> = Promise.resolve();

  private constructor(files: JournalFiles, path: string, onDamaged: OnDamaged) {
    this.#files = files;
    this.#file = new ReservedFile(files, path, 0o600);
    this.#path = path;
    this.#onDamaged = onDamaged;
  }

  /** @param onDamaged called with the place to which a torn file was moved; the host then goes on from what it observes */
  static async open(files: JournalFiles, path: string, onDamaged: OnDamaged): Promise<JournalFile> {
    const file = new JournalFile(files, path, onDamaged);
    await file.#read();
    return file;
  }

  /** What the journal says; where there is a problem, as much of it as can be shown. */
  get now(): Journal {
    return this.#journal;
  }

  /** Why nothing may be done by this journal (`journal-unreadable`); null where it can be used. */
  get problem(): DeployError | null {
    return this.#problem;
  }

  /**
   * The host may be in the middle of an activation, although `now` has none: the file cannot be read, or says so in words
   * of another agent's. Until that is known, the host keeps its slot.
   */
  get mayBeAtWork(): boolean {
    return this.#problem !== null && this.#mayBeAtWork;
  }

  /** Checks whether somebody has repaired the file. @throws DeployError `journal-unreadable` where nobody has */
  async readAgain(): Promise<void> {
    if (this.#problem === null) return;
    await this.#read();
    if (this.#problem !== null) throw this.#problem;
  }

  /**
   * Returns once the event is on the disk.
   *
   * @throws DeployError `journal-unreadable`, `internal` where the event cannot happen now, or the reason why it cannot
   *   be written
   */
  async record(event: JournalEvent): Promise<void> {
    return this.#inTurn(() => this.#write(event));
  }

  /** Reserves disk space for the next record. @throws DeployError `disk-full` */
  async setAside(): Promise<void> {
    return this.#inTurn(() => this.#file.setAside());
  }

  /** Runs the writes one after the other: each builds on what the one before has left. */
  async #inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.#written.then(work);
    this.#written = mine.catch(() => {});
    return mine;
  }

  async #write(event: JournalEvent): Promise<void> {
    if (this.#problem !== null) throw this.#problem;
    const next = journalAfter(this.#journal, event);
    await this.#file.write(JSON.stringify(next, null, 1));
    this.#journal = next;
  }

  async #read(): Promise<void> {
    try {
      const text = await this.#file.read();
      await this.#use(text === null ? { kind: "understood", journal: emptyJournal } : readJournal(text));
    } catch (error) {
      this.#mayBeAtWork = true;
      this.#problem = this.#unreadable(asDeployError(error, "Cannot read it").message, "Correct that");
    }
  }

  async #use(reading: JournalReading): Promise<void> {
    switch (reading.kind) {
      case "understood":
        this.#journal = reading.journal;
        this.#problem = null;
        return;
      case "foreign": {
        const { known, newer, problems } = reading;
        this.#journal = known;
        this.#mayBeAtWork = reading.mayBeAtWork;
        this.#problem = newer
          ? this.#unreadable(`A newer agent wrote it. ${problems.join("; ")}.`, "Put the newer agent back")
          : this.#unreadable(`${problems.join("; ")}.`, "Correct the file");
        return;
      }
      case "torn": {
        const aside = `${this.#path}.damaged`;
        await this.#files.renameDurably(this.#path, aside);
        this.#journal = emptyJournal;
        this.#problem = null;
        this.#onDamaged(aside, reading.problems);
        return;
      }
    }
  }

  #unreadable(why: string, remedy: string): DeployError {
    return new DeployError(`Cannot use the journal "${this.#path}", so the service is left as it is. ${why}`, {
      code: "journal-unreadable",
      hint: `${remedy}, or, if the service is as it should be, move the file away: the agent then goes on from what it observes.`,
      retry: true,
    });
  }
}
