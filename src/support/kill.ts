import type { Clock } from "./clock.ts";
import { until } from "./wait.ts";

/** How long it waits for processes to go that got KILL: one stuck in the kernel goes when its device answers. */
const WITHIN_MS = 2_000;
const EVERY_MS = 10;

/**
 * Sends KILL to all that `find` finds, again and again until it finds nothing: they may have forked while they were looked
 * for, so only an empty look ends it. After two seconds it is left at that.
 *
 * @param kill may throw for what is gone already, which is what is to be reached
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
