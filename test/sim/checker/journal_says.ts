import { JOURNAL_VERSION, type Journal } from "../../../src/schema/journal.ts";
import type { JournalReading } from "../../../src/schema/journal_versions.ts";

/** A journal of this version by its looks alone; null for anything else, and for half of one. */
export function wholeJournal(text: string): JournalReading | null {
  try {
    const value: unknown = JSON.parse(text);
    return isOfThisVersion(value) ? { kind: "understood", journal: value } : null;
  } catch {
    return null;
  }
}

function isOfThisVersion(value: unknown): value is Journal {
  return typeof value === "object" && value !== null && "version" in value && value.version === JOURNAL_VERSION;
}

/** Which restart of a batch this is; null between two. */
export function batchIn(journal: Journal | null): string | null {
  const phase = journal?.activation?.phase;
  if (phase === undefined || !("restart" in phase) || phase.restart.batch.length === 0) return null;
  return `${journal?.activation?.attempt} ${phase.restart.begun} ${phase.restart.batch.join()}`;
}

/** A start of what a boot has left down was begun. */
export function revives(journal: Journal | null): boolean {
  const { activation, boot } = journal ?? {};
  return activation === null && boot?.over === false && boot.begun > 0;
}

/** The host leaves, and stops its service for that; or it stays after all, and starts it, for which it may stop it first. */
export function leaves(journal: Journal | null, what: string): boolean {
  const phase = journal?.activation === null ? journal.leaving?.phase : undefined;
  return phase === "starting" || (phase === "stopping" && what.endsWith('svc stop"'));
}
