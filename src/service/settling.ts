import type { Clock } from "../support/clock.ts";
import type { JournalFile } from "./journal_file.ts";

/** How long a service has to stay in service until its next death counts as a new one, in milliseconds. */
const SETTLED_MS = 60_000;

/** Makes activations count against a wish only while its service does not stay in service between them. */
export class Settling {
  readonly #journal: JournalFile;
  readonly #clock: Pick<Clock, "monotonicMs">;
  #sinceMs: number | null = null;

  constructor(journal: JournalFile, clock: Pick<Clock, "monotonicMs">) {
    this.#journal = journal;
    this.#clock = clock;
  }

  /** The service is restarted. */
  begun(): void {
    this.#sinceMs = null;
  }

  /** For how long the service has been in service, in milliseconds, as far as `look` was told. */
  get servingMs(): number {
    return this.#sinceMs === null ? 0 : this.#clock.monotonicMs() - this.#sinceMs;
  }

  /** Called now and then while there is nothing to do. @throws DeployError where the journal cannot be written */
  async look(isServing: boolean): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    this.#sinceMs = isServing ? (this.#sinceMs ?? nowMs) : null;
    const { attempt } = this.#journal.now;
    if (this.#sinceMs === null || nowMs - this.#sinceMs < SETTLED_MS || (attempt?.begun ?? 0) === 0) return;
    await this.#journal.record({ kind: "settled" });
  }
}
