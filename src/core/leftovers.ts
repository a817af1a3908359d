import { sameProcess } from "./served.ts";
import type { Journal } from "../schema/journal.ts";

/** A process that runs another build than the one that was activated. */
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
 * The processes of a service that run from another release than `build`'s. Those that stay by design are left out: the
 * ones that the supervisor names, and a master process whose children run `build`, since it may be older than they are.
 *
 * @param former the processes that ran after the last restart, and their build, where a restart ends all of them; by
 *   these a process is recognised that shows no release itself
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
