import { sameProcess } from "./served.ts";
import type { Journal } from "../schema/journal.ts";

/** A process that runs another build than the one that was brought to life. */
export interface Leftover {
  readonly pid: number;
  readonly build: string;
}

interface ShownProcess {
  readonly pid: number;
  readonly startTicks: number;
  readonly parent: number;
  readonly release: string | null;
}

/**
 * Of a service's processes those that run from another release than `build`'s. Whoever stays by design is none: what the
 * supervisor names, and a master process whose children run `build`, since it may have been there before them.
 *
 * @param former who ran after the last restart, and which build, where a restart ends all of them: known again by that where
 *   a process shows no release
 */
export function leftoversOf(
  all: readonly ShownProcess[],
  build: string,
  mains: readonly number[],
  former: Journal["restarted"] = null,
): Leftover[] {
  const buildOf = (one: ShownProcess): string | null => {
    if (one.release !== null) return one.release;
    return former?.processes.some((stamp) => sameProcess(stamp, one)) === true ? former.build : null;
  };
  const parentOf = new Map(all.map(({ pid, parent }) => [pid, parent]));
  const staying = new Set(mains);
  for (const { pid, release } of all) {
    if (release !== build) continue;
    for (let at = parentOf.get(pid); at !== undefined && !staying.has(at); at = parentOf.get(at)) staying.add(at);
  }
  return all.flatMap((one) => {
    const runs = buildOf(one);
    return runs === null || runs === build || staying.has(one.pid) ? [] : [{ pid: one.pid, build: runs }];
  });
}
