import type { DeployRecord } from "../schema/deploy_record.ts";
import type { DeployCost, HostStatus } from "../schema/znodes.ts";
import { buildWanted } from "./deploy_state.ts";
import { sumOfKnown, summed } from "./restart_progress.ts";

/** What the restarts into the build that the deploy wants now have cost; null where there were none. */
export function legCost(
  statuses: ReadonlyMap<string, HostStatus>,
  { id, record }: { readonly id: string; readonly record: DeployRecord },
): DeployCost | null {
  const wanted = buildWanted(record);
  let cost: DeployCost | null = null;
  for (const { restart } of statuses.values()) {
    if (restart === null || restart === undefined || restart.instances === 0) continue;
    if (restart.deploy === id && restart.build === wanted) cost = sum(cost, { hosts: 1, ...restart });
  }
  return cost;
}

/** What a deploy has cost so far, there and back. */
export function costOf(
  statuses: ReadonlyMap<string, HostStatus>,
  deploy: { readonly id: string; readonly record: DeployRecord },
): DeployCost | null {
  const wanted = buildWanted(deploy.record);
  const { [wanted]: told, ...others } = deploy.record.costs ?? {};
  return [told ?? legCost(statuses, deploy), ...Object.values(others)].reduce<DeployCost | null>(
    (total, cost) => (cost === null || cost === undefined ? total : sum(total, cost)),
    null,
  );
}

type Summed = Pick<DeployCost, "hosts" | "instances" | "closed" | "refused" | "phaseMs">;

function sum(a: Summed | null, b: Summed): DeployCost {
  return {
    hosts: (a?.hosts ?? 0) + b.hosts,
    instances: (a?.instances ?? 0) + b.instances,
    closed: sumOfKnown(a?.closed ?? null, b.closed),
    refused: sumOfKnown(a?.refused ?? null, b.refused),
    phaseMs: summed<string>(a?.phaseMs ?? {}, b.phaseMs) as Record<string, number>,
  };
}
