/** A process that runs another build than the one that was brought to life. */
export interface Leftover {
  readonly pid: number;
  readonly build: string;
}

interface ShownProcess {
  readonly pid: number;
  readonly parent: number;
  readonly release: string | null;
}

/**
 * Of a service's processes those that run from another release than `build`'s. Whoever stays by design is none: what the
 * supervisor names, and a master process whose children run `build`, since it may have been there before them.
 */
export function leftoversOf(all: readonly ShownProcess[], build: string, mains: readonly number[]): Leftover[] {
  const parentOf = new Map(all.map(({ pid, parent }) => [pid, parent]));
  const staying = new Set(mains);
  for (const { pid, release } of all) {
    if (release !== build) continue;
    for (let at = parentOf.get(pid); at !== undefined && !staying.has(at); at = parentOf.get(at)) staying.add(at);
  }
  return all.flatMap(({ pid, release }) =>
    release === null || release === build || staying.has(pid) ? [] : [{ pid, build: release }],
  );
}
