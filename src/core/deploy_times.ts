/*
 * The times in a deploy's record.
 */

type Times = RunningTimes & Record<string, unknown>;
interface RunningTimes {
  readonly created: string;
}

/** It was written at this time. */
export function changed(times: Times, now: Date) {
  return { ...times, changed: now.toISOString() };
}

/** Of a deploy that may have ended, and has not any more. */
export function goingOn(times: Times & { readonly ended?: unknown }, now: Date) {
  const { ended: _, ...others } = times;
  return changed(others, now);
}

/** It has ended at this time. */
export function over(times: Times, now: Date) {
  return { ...changed(times, now), ended: now.toISOString() };
}
