import type { Journal } from "../../../src/schema/journal.ts";

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
