import type { Clock } from "./clock.ts";
import { until } from "./wait.ts";

/**
 * How long to wait for processes that got KILL to end, in milliseconds: one that is stuck in the kernel ends only when
 * its device answers.
 */
const WITHIN_MS = 2_000;
const EVERY_MS = 10;

/**
 * Sends KILL to everything that `find` returns, repeatedly until it finds nothing: processes may fork during the search,
 * so only an empty result ends it. It gives up after two seconds.
 *
 * @param kill may throw for a process that is already gone, which is the goal
 * @returns how many different processes were found
 */
export async function killAll<P extends { readonly pid: number }>(
  find: () => Promise<readonly P[]>,
  kill: (process: P) => void,
  clock: Pick<Clock, "monotonicMs" | "sleep">,
): Promise<number> {
  const seen = new Set<number>();
  const endAll = async (): Promise<number> => {
    const found = await find();
    for (const process of found) {
      seen.add(process.pid);
      try {
        kill(process);
      } catch {
        // Gone already.
      }
    }
    return found.length;
  };
  await until(endAll, (left) => left === 0, { everyMs: EVERY_MS, withinMs: WITHIN_MS }, clock);
  return seen.size;
}
