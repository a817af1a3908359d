import { DeployError } from "../core/errors.ts";
import type { Clock } from "../support/clock.ts";

/** Counts open connections or sessions; null if nothing can count them. */
export type CountOpen = () => Promise<number | null>;

/**
 * The pause between two looks, in milliseconds: four times as long as a look took, because on a host with very many
 * sockets the kernel needs a while for one.
 */
const REST = { least: 50, most: 1_000, times: 4 } as const;
/**
 * A connection that the kernel has accepted and the app has not may appear between two looks, so two idle looks are
 * required.
 */
const IDLE_LOOKS = 2;

/** The sum of the counts; null if any of them is null. */
export async function openIn(counts: readonly CountOpen[]): Promise<number | null> {
  const open = await Promise.all(counts.map((count) => count()));
  return open.reduce((total, count) => (total === null || count === null ? null : total + count), 0);
}

/**
 * Waits until nothing is open any more; returns at once if nothing can be counted.
 *
 * @param who the instances, for messages
 * @throws DeployError `drain-timeout` after `deadlineMs`, `aborted`
 */
export async function untilIdle(
  who: string,
  counts: readonly CountOpen[],
  deadlineMs: number,
  clock: Pick<Clock, "monotonicMs" | "sleep">,
  signal: AbortSignal,
): Promise<void> {
  let looks = 0;
  for (let waitedMs = 0; ;) {
    const startedAt = clock.monotonicMs();
    const open = await openIn(counts);
    looks = open === 0 ? looks + 1 : 0;
    if (open === null || looks >= IDLE_LOOKS) return;
    if (waitedMs >= deadlineMs) {
      throw new DeployError(
        `Cannot wait for the last clients of ${who} any longer: after ${deadlineMs / 1000} s ` +
          `${open} connection${open === 1 ? " is" : "s are"} open.`,
        {
          code: "drain-timeout",
          hint:
            'Let the app answer "Connection: close" once it is told (drain.signal, drain.url), raise drain.deadline_s, ' +
            'or have what is left closed with drain.force = ["idle"].',
        },
      );
    }
    const restMs = Math.min(REST.most, Math.max(REST.least, REST.times * (clock.monotonicMs() - startedAt)));
    await clock.sleep(restMs, signal);
    // Added up from monotonic durations and not read from the clock, which a freshly booted machine may set.
    waitedMs += Math.max(restMs, clock.monotonicMs() - startedAt);
  }
}
