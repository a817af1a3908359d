export interface ReleaseFact {
  readonly build: string;
  /** When its directory was made, in epoch milliseconds. */
  readonly madeAtMs: number;
}

/**
 * Releases that may be removed: all but the `keep` newest and those in `needed` (current, previous, wished, or in use by
 * a process).
 */
export function removable(releases: readonly ReleaseFact[], keep: number, needed: ReadonlySet<string>): string[] {
  return releases
    .toSorted((a, b) => b.madeAtMs - a.madeAtMs || (a.build < b.build ? -1 : 1))
    .slice(keep)
    .map((release) => release.build)
    .filter((build) => !needed.has(build));
}
