import { costOf } from "../core/deploy_cost.ts";
import { buildWanted, endedAt, reasonOf, stageNow } from "../core/deploy_state.ts";
import { failuresOn, legFailures } from "../core/failure_summary.ts";
import { noneOut, type OutHosts } from "../core/gate.ts";
import type { Act, DeployRecord, FailureSummary } from "../schema/deploy_record.ts";
import type { DeployCost } from "../schema/znodes.ts";
import { clockTime, secondsBetween } from "./times.ts";
import { count, oneLine } from "./words.ts";

/** One deploy of the past, or the one under way, as it is on record. */
export interface PastDeploy {
  readonly id: string;
  readonly record: DeployRecord;
  /** From its beginning to its end, or until now. */
  readonly tookMs: number;
  /** Hosts that failed under it, and what the first ones said; null where none did. */
  readonly failures: FailureSummary | null;
  /** What its restarts cost; null while it is under way, and where nothing was restarted. */
  readonly cost: DeployCost | null;
}

/**
 * @param deploy with its times by ZooKeeper's clock
 * @param out the failures that are still on record beside it, of the newest deploys
 */
export function pastDeploy(
  { id, record }: { readonly id: string; readonly record: DeployRecord },
  out: OutHosts | null,
  now: Date,
): PastDeploy {
  const leg = legFailures({ record, out: out ?? noneOut });
  const failures = leg === null ? record.failures : { ...record.failures, [buildWanted(record)]: leg };
  return {
    id,
    record,
    tookMs: secondsBetween(record.times.created, endedAt(record) ?? now) * 1000,
    failures: failuresOn(failures === undefined ? {} : { failures }),
    cost: costOf(new Map(), { id, record }),
  };
}

/** What the row of a deploy does not say, one sentence each: why, what failed, who has done what to it. */
export function pastFacts({ id, record, failures }: PastDeploy): string[] {
  const { why, build, previous } = record;
  const from = previous === null ? "the first deploy" : `after ${previous}`;
  const reason = oneLine(reasonOf(record));
  const stage = record.state === "done" || record.stages.length === 1 ? "" : `, stage ${stageNow(record)}`;
  return [
    `${id} of ${build}, ${from}${stage}${why === "" ? "" : `: ${oneLine(why)}`}`,
    ...(reason === "" ? [] : [`${record.state}: ${reason}`]),
    ...(failures === null ? [] : [failuresText(failures, reason)]),
    ...[actsText(record.acts)].filter((text) => text !== ""),
  ];
}

/** "3 hosts failed; web-02: its check failed"; @param told what is said already */
function failuresText({ hosts, first }: FailureSummary, told: string): string {
  const [one] = first;
  const said =
    one === undefined || told.includes(oneLine(one.reason)) ? "" : `; ${oneLine(one.host)}: ${oneLine(one.reason)}`;
  return `${count(hosts, "host")} failed${said}`;
}

/** "paused by bo at 12:03:11 (db is slow), resumed by bo at 12:09:40"; how it was started is said elsewhere. */
function actsText(acts: readonly Act[]): string {
  return acts
    .filter(({ act, override }) => act !== "started" || override !== undefined)
    .map(({ act, who, why, time, override }) => {
      const reasons = [
        ...(why === "" || act === "started" ? [] : [oneLine(why)]),
        ...(override === undefined ? [] : [`overriding: ${oneLine(override)}`]),
      ];
      const because = reasons.length === 0 ? "" : ` (${reasons.join("; ")})`;
      return `${act} by ${oneLine(who)} at ${clockTime(new Date(time))}${because}`;
    })
    .join(", ");
}
