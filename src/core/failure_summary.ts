import type { DeployRecord, FailureSummary } from "../schema/deploy_record.ts";
import { buildWanted } from "./deploy_state.ts";
import { failuresOf, inOrderOfFailing, type OutHosts } from "./gate.ts";

/*
 * A host has one failure on record, which the next deploy clears. What a deploy's record keeps of them has to be small,
 * however many hosts failed: how many there were, and what the first ones said.
 */

/** How many failures a record names, for each build that the deploy brought to hosts. */
const MOST_NAMED = 5;
/** What is kept of a reason, in characters. */
const REASON_CHARS = 200;

/** The failures on the build that the deploy wants now, those that its record has already included; null without any. */
export function legFailures({
  record,
  out,
}: {
  readonly record: DeployRecord;
  readonly out: Pick<OutHosts, "failed">;
}): FailureSummary | null {
  const wanted = buildWanted(record);
  const known = record.failures?.[wanted] ?? null;
  const now = inOrderOfFailing(out, failuresOf(out, wanted));
  const named = new Set(known?.first.map(({ host }) => host));
  const fresh = now.filter(({ host }) => !named.has(host));
  const hosts = Math.max(known?.hosts ?? 0, named.size + (named.size < MOST_NAMED ? fresh.length : 0), now.length);
  if (hosts === 0) return null;
  const first = [
    ...(known?.first ?? []),
    ...fresh.map(({ host, failure }) => ({ host, reason: shortened(failure.reason) })),
  ];
  return { hosts, first: first.slice(0, MOST_NAMED) };
}

/** The same where the record does not say it yet; null where there is nothing to write. */
export function newFailures(deploy: Parameters<typeof legFailures>[0]): FailureSummary | null {
  const found = legFailures(deploy);
  const known = deploy.record.failures?.[buildWanted(deploy.record)];
  return found === null || found.hosts === known?.hosts ? null : found;
}

/** All failures of a deploy, there and back; null without any. */
export function failuresOn({ failures = {} }: Pick<DeployRecord, "failures">): FailureSummary | null {
  const legs = Object.values(failures).filter((leg) => leg.hosts > 0);
  if (legs.length === 0) return null;
  return {
    hosts: legs.reduce((sum, leg) => sum + leg.hosts, 0),
    first: legs.flatMap((leg) => leg.first).slice(0, MOST_NAMED),
  };
}

function shortened(reason: string): string {
  return reason.length <= REASON_CHARS ? reason : `${reason.slice(0, REASON_CHARS - 1)}…`;
}
