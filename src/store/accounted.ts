import { costed } from "../core/deploy.ts";
import { legCost } from "../core/deploy_cost.ts";
import { legFailures } from "../core/failure_summary.ts";
import { outBy } from "../core/gate.ts";
import type { HostStatus } from "../schema/znodes.ts";
import type { ServiceHead } from "./deploys.ts";
import type { GateRead } from "./gate.ts";

/**
 * A deploy that another ends, with what it has cost and what has failed under it: the hosts that say so go on to the other
 * deploy, and forget it.
 */
export function accounted(
  latest: NonNullable<ServiceHead["latest"]>,
  statuses: ReadonlyMap<string, HostStatus>,
  gate: GateRead | null,
): NonNullable<ServiceHead["latest"]> {
  const { id, record } = latest;
  const failures = gate === null ? null : legFailures({ record, out: outBy(gate.gate, id) });
  return { ...latest, record: costed(record, legCost(statuses, latest), failures) };
}
