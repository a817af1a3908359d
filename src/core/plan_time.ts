import type { DeployRecord } from "../schema/deploy_record.ts";
import type { HostStatus } from "../schema/znodes.ts";
import type { RolloutPlan } from "./rollout_plan.ts";

/** What an estimate rests on. */
export interface TimeBasis {
  /** Milliseconds that the restart of a host takes. */
  readonly hostMs: number;
  /** The deploy that took so long, and of how many of its hosts that is known. */
  readonly deploy: string;
  readonly hosts: number;
  /** The median of what each host says, or the mean of what the deploy's record sums up. */
  readonly as: "median" | "mean";
}

/**
 * How long a host takes to restart, by the last deploy that was done: the median of what its hosts still say, otherwise the
 * mean of what its record has. Null where there was none.
 *
 * @param deploys on record, oldest first
 */
export function timeBasis(
  deploys: readonly { readonly id: string; readonly record: DeployRecord }[],
  statuses: ReadonlyMap<string, HostStatus>,
): TimeBasis | null {
  for (const { id, record } of deploys.toReversed()) {
    if (record.state !== "done") continue;
    const told = [...statuses.values()].flatMap(({ restart }) =>
      restart?.deploy === id && restart.build === record.build ? [sumOf(restart.phaseMs)] : [],
    );
    if (told.length > 0) return { hostMs: median(told), deploy: id, hosts: told.length, as: "median" };
    const cost = record.costs?.[record.build];
    if (cost !== undefined && cost.hosts > 0 && Object.keys(cost.phaseMs).length > 0) {
      return { hostMs: sumOf(cost.phaseMs) / cost.hosts, deploy: id, hosts: cost.hosts, as: "mean" };
    }
  }
  return null;
}

/**
 * How long the plan takes: its waves one after the other, each as long as a host takes to restart and to soak, and the times
 * that its stages wait. What hosts take to prepare, and how long a person thinks, is in it nowhere.
 */
export function plannedMs({ stages }: RolloutPlan, { hostMs }: TimeBasis): number {
  return stages.reduce((sum, { waves, moreWaves, soakMs, wait }) => {
    const rolling = (waves.length + moreWaves) * (hostMs + soakMs);
    return sum + rolling + (typeof wait === "number" ? wait : 0);
  }, 0);
}

function sumOf(phaseMs: Readonly<Record<string, number>>): number {
  return Object.values(phaseMs).reduce((sum, ms) => sum + ms, 0);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = 0, high = low] = sorted.slice(sorted.length % 2 === 0 ? middle - 1 : middle);
  return sorted.length % 2 === 0 ? (low + high) / 2 : low;
}
