import { DeployError } from "../core/errors.ts";
import { mayTakeOut } from "../core/restart_progress.ts";
import type { Clock } from "../support/clock.ts";

const LOOK_AGAIN_MS = 500;

export interface Availability {
  readonly batch: readonly string[];
  readonly all: readonly string[];
  readonly minimum: number;
  /** How long the other instances may take to become healthy enough, in milliseconds. */
  readonly deadlineMs: number;
  isHealthy(name: string): Promise<boolean>;
}

/**
 * Waits until enough other instances are healthy for the batch to be taken out of service.
 *
 * @throws DeployError `instances-unavailable`, `aborted`
 */
export async function untilOthersSuffice(
  wanted: Availability,
  clock: Pick<Clock, "monotonicMs" | "sleep">,
  signal: AbortSignal,
): Promise<void> {
  const { batch, all, minimum, deadlineMs } = wanted;
  if (minimum === 0) return;
  for (let waitedMs = 0; ;) {
    const startedAt = clock.monotonicMs();
    const answers = await Promise.all(all.map(async (name) => ({ name, healthy: await wanted.isHealthy(name) })));
    const healthy = new Set(answers.filter((answer) => answer.healthy).map(({ name }) => name));
    if (mayTakeOut(batch, healthy, minimum)) return;
    if (waitedMs >= deadlineMs) {
      const left = [...healthy].filter((name) => !batch.includes(name));
      throw new DeployError(
        `Cannot take ${batch.join(", ")} out of service: of ${all.length} instances ` +
          `${left.length === 0 ? "none" : left.join(", ")} would be left healthy, but ${minimum} must be.`,
        {
          code: "instances-unavailable",
          hint: "Find out why the others are unhealthy, or lower rolling.min_available of the service in the agent's file.",
        },
      );
    }
    await clock.sleep(LOOK_AGAIN_MS, signal);
    waitedMs += Math.max(LOOK_AGAIN_MS, clock.monotonicMs() - startedAt);
  }
}
