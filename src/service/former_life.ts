import { outlivedBy } from "../core/journal_former.ts";
import { parseJson } from "../schema/problems.ts";
import { failureSchema, hostStatusSchema, slotSchema, type HostStatus } from "../schema/znodes.ts";
import { failurePath, slotPath, statusPath } from "../store/paths.ts";
import { isDamaged, readRecord } from "../store/records.ts";
import type { Session } from "../zookeeper/session.ts";
import type { JournalFile } from "./journal_file.ts";

export interface FormerLifeOptions {
  readonly session: Session;
  readonly service: string;
  readonly host: string;
  readonly journal: JournalFile;
  readonly nowMs: () => number;
  readonly say: (level: "info" | "warn", message: string, facts: object) => void;
}

/**
 * What ZooKeeper knows of this host and its journal does not: the disk is new, or an older one was put back. It is written
 * into the journal before this host says anything of itself, since that replaces what there is to learn.
 */
export class FormerLife {
  readonly #options: FormerLifeOptions;

  constructor(options: FormerLifeOptions) {
    this.#options = options;
  }

  /** @param text of the host's status node; one that cannot be read tells nothing */
  async heard(text: string): Promise<void> {
    const { journal } = this.#options;
    if (journal.problem !== null || text.trim() === "") return;
    const said = parseJson(hostStatusSchema, text);
    const isNews = said.ok && outlivedBy(journal.now, { status: said.value, slot: null, failure: null }, 0) !== null;
    if (isNews) await this.#learn(said.value);
  }

  /** Before a host that has no journal gives its first number. @throws DeployError where its status cannot be read */
  async ask(): Promise<void> {
    const { journal, session, service, host } = this.#options;
    if (journal.now.attempt !== null || journal.now.former !== undefined) return;
    const said = await readRecord(session.client, statusPath(service, host), hostStatusSchema);
    await this.#learn(said?.value ?? null);
  }

  async #learn(status: HostStatus | null): Promise<void> {
    const { journal, session, service, host, nowMs, say } = this.#options;
    const slot = await readRecord(session.client, slotPath(service, host), slotSchema).catch(nothingOf);
    const failure = await readRecord(session.client, failurePath(service, host), failureSchema).catch(nothingOf);
    const told = { status, slot: slot?.value ?? null, failure: failure?.value ?? null };
    const event = outlivedBy(journal.now, told, nowMs());
    if (event === null) return;
    const { attempt, lost } = event;
    say("warn", "ZooKeeper knows more of this host than its disk, which is new or was put back", {
      attempt,
      ...(lost === null ? {} : { lost: `${lost.build} of deploy ${lost.deploy}` }),
    });
    await journal.record(event);
  }
}

/** What cannot be read is the conductor's to deal with, and what a person holds is no number. */
function nothingOf(error: unknown): null {
  if (isDamaged(error)) return null;
  throw error;
}
