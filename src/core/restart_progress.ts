import type { InstanceServed } from "./served.ts";
import type { RestartProgress, RestartCost } from "../schema/journal.ts";

/**
 * How many restarts may be begun for one build before it counts as failed; this also ends the retries of a restart that
 * kills the agent.
 */
export const MAX_RESTARTS = 3;

export const noCounts: RestartCost = { instances: 0, closed: null, refused: null, forced: [], phaseMs: {} };

/** A restart of these instances that has not begun. */
export function restartOf(left: readonly string[]): RestartProgress {
  return { begun: 0, batch: [], left };
}

export function isRestarted(progress: RestartProgress): boolean {
  return progress.left.length === 0;
}

/** Nothing is half done: the last batch has ended and the next has not begun. */
export function isBetweenBatches(progress: RestartProgress): boolean {
  return progress.batch.length === 0;
}

/**
 * The batch to restart next: the one that was begun, or as many instances as may restart at once, those first that are
 * known to be unhealthy. Restarting one that is down takes nobody out of service, and it must not hold up the build that
 * repairs it.
 */
export function nextBatch(
  progress: RestartProgress,
  size: number,
  unwell: ReadonlySet<string> = new Set(),
): readonly string[] {
  if (!isBetweenBatches(progress)) return progress.batch;
  return progress.left.toSorted((a, b) => Number(unwell.has(b)) - Number(unwell.has(a))).slice(0, size);
}

/** The progress without the instances that the host no longer has. */
export function restartAmong(progress: RestartProgress, names: readonly string[]): RestartProgress {
  const [batch, left] = [progress.batch, progress.left].map((list) => list.filter((name) => names.includes(name)));
  if (batch === undefined || left === undefined) return progress;
  return batch.length === 0 && progress.batch.length > 0
    ? { ...progress, ...restartOf(left) }
    : { ...progress, batch, left };
}

export function withBatchBegun(progress: RestartProgress, batch: readonly string[]): RestartProgress {
  return { ...progress, batch, begun: progress.begun + 1 };
}

export function withBatchDone(progress: RestartProgress): RestartProgress {
  return { ...progress, ...restartOf(progress.left.filter((name) => !progress.batch.includes(name))) };
}

function bootsOf(progress: RestartProgress): number {
  return progress.boots ?? 0;
}

/** The progress after a boot that took down these instances, which had been restarted already. */
export function withBoot(progress: RestartProgress, down: readonly string[]): RestartProgress {
  return { ...progress, boots: bootsOf(progress) + 1, left: [...progress.left, ...down] };
}

/**
 * Why no further restart is begun; null where one may be. A build may end the agent or the machine when it starts, before
 * the restart counts as done or after it.
 */
export function whyExhausted(progress: RestartProgress): string | null {
  const boots = bootsOf(progress);
  if (progress.begun >= MAX_RESTARTS) return `${progress.begun} restarts were begun and none succeeded`;
  return boots >= MAX_RESTARTS ? `the machine was rebooted ${boots} times in the middle of it` : null;
}

/**
 * The instances that have to be restarted on the way back: those that were restarted or were about to be, those that came
 * to run another build by themselves, and those that a reboot in the middle took down.
 */
export function touchedBy(
  progress: RestartProgress,
  instances: readonly InstanceServed[],
  previous: string | null,
): string[] {
  return instances
    .filter(({ name, served }) => {
      const untouched = progress.left.includes(name) && !progress.batch.includes(name);
      return !untouched || (served.kind === "build" ? served.build !== previous : bootsOf(progress) > 0);
    })
    .map(({ name }) => name);
}

/** The sum of both, phase by phase. */
export function summed<Phase extends string>(
  a: Readonly<Partial<Record<Phase, number>>>,
  b: Readonly<Partial<Record<Phase, number>>>,
): Partial<Record<Phase, number>> {
  const total: Partial<Record<Phase, number>> = { ...a };
  for (const phase of Object.keys(b) as Phase[]) total[phase] = (total[phase] ?? 0) + (b[phase] ?? 0);
  return total;
}

/** Null only when neither could be counted: where one instance cannot count, the count of the other is still shown. */
export function sumOfKnown(a: number | null, b: number | null): number | null {
  return a === null && b === null ? null : (a ?? 0) + (b ?? 0);
}

export function added(a: RestartCost, b: RestartCost): RestartCost {
  return {
    ...a,
    instances: a.instances + b.instances,
    closed: sumOfKnown(a.closed, b.closed),
    refused: sumOfKnown(a.refused, b.refused),
    forced: [...new Set([...a.forced, ...b.forced])],
    phaseMs: summed(a.phaseMs, b.phaseMs),
  };
}

/** How many of `total` instances restart at once. @param batch a number, or a share such as "25%", rounded down */
export function batchSize(batch: number | string, total: number): number {
  const wanted = typeof batch === "number" ? batch : Math.floor((Number.parseInt(batch, 10) * total) / 100);
  return Math.max(1, Math.min(wanted, total));
}

/**
 * The number of instances that have to stay healthy with traffic. When agent.toml does not say: half of them, rounded up,
 * or as many as a batch leaves, whichever is fewer.
 */
export function minAvailable(wanted: number | undefined, total: number, batch: number): number {
  return wanted ?? Math.min(Math.ceil(total / 2), total - batch);
}

/**
 * Whether a batch may be taken out of service. Unhealthy instances serve nobody and so do not count, so that a service of
 * which every instance is unhealthy can still be restarted.
 */
export function mayTakeOut(batch: readonly string[], healthy: ReadonlySet<string>, minimum: number): boolean {
  const after = [...healthy].filter((name) => !batch.includes(name)).length;
  return after >= minimum || batch.every((name) => !healthy.has(name));
}
