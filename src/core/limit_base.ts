import type { Base, DeployRecord } from "../schema/deploy_record.ts";
import type { HostRecord, HostStatus } from "../schema/znodes.ts";
import { budgetHosts, maxHosts } from "./limits.ts";

interface Fleet {
  readonly hosts: ReadonlyMap<string, Pick<HostRecord, "zone" | "hold">>;
  readonly status: ReadonlyMap<string, Pick<HostStatus, "build">>;
}

/**
 * How many hosts percentages are of now: those that serve something and do not leave. Where none does there is nothing to
 * protect, and it is all hosts.
 */
export function baseNow({ hosts, status }: Fleet): Base {
  const all = [...hosts].filter(([, { hold }]) => hold?.stop !== true);
  const serving = all.filter(([host]) => (status.get(host)?.build ?? null) !== null);
  const counted = serving.length > 0 ? serving : all;
  const zones: Record<string, number> = {};
  for (const [, { zone }] of counted) if (zone !== undefined) zones[zone] = (zones[zone] ?? 0) + 1;
  return { hosts: counted.length, zones };
}

/** What the limits of a deploy come to. */
export interface Allowed {
  /** Hosts that may be out of service at once. */
  readonly max: number;
  /** The same for the hosts of one zone; null where zones have no limit. */
  readonly perZone: ((zone: string) => number) | null;
  /** Hosts that may fail before it halts. */
  readonly budget: number;
}

/** @param now for a deploy of which no host has been granted a slot yet */
export function allowedBy({ limits, base: fixed }: Pick<DeployRecord, "limits" | "base">, now: () => Base): Allowed {
  const base = fixed ?? now();
  const { maxPerZone } = limits;
  return {
    max: maxHosts(limits.max, base.hosts),
    perZone: maxPerZone === undefined ? null : (zone) => maxHosts(maxPerZone, base.zones[zone] ?? 0),
    budget: budgetHosts(limits.budget, base.hosts),
  };
}
