import type { DeployRecord } from "../schema/deploy_record.ts";
import type { ConductedDeploy, ConductedService } from "./conducted.ts";
import { buildWanted, goesBack, isInLastStage } from "./deploy_state.ts";
import { settledFailures } from "./gate.ts";
import { targetFor } from "./targets.ts";

export interface Progress {
  /** Hosts that should serve the deploy's build. */
  readonly hosts: readonly string[];
  readonly serving: readonly string[];
  readonly failed: readonly string[];
  readonly unreachable: readonly string[];
  /** Some host has left PREPARE. */
  readonly moving: boolean;
  /**
   * Every reachable host serves it or has failed within the budget, and at least one serves it. A way back is complete
   * when no reachable host is left that the deploy has touched: a host that never had its build has nothing to go back
   * from.
   */
  readonly complete: boolean;
  /** Nothing moves any more, and no host serves it. */
  readonly hopeless: boolean;
}

/** How far a deploy has come, from what the hosts say of themselves. */
export function progressOf(
  view: Pick<ConductedService, "wishes" | "hosts" | "status" | "alive">,
  { id, record, out }: Pick<ConductedDeploy, "id" | "record" | "out">,
): Progress {
  const wanted = buildWanted(record);
  const all = [...view.hosts].flatMap(([host, { role, zone, hold }]) => {
    const target = targetFor({ host, role, zone }, view.wishes);
    return target.kind === "build" && target.deploy === id ? [{ host, leaves: hold?.stop === true }] : [];
  });
  // Nobody waits for a host that leaves; what it had begun before it was asked to is still waited for, by its slot.
  const hosts = all.flatMap(({ host, leaves }) => (leaves ? [] : [host]));
  const failures = new Set(settledFailures(out, wanted, record.again));
  const serving: string[] = [];
  const failed: string[] = [];
  const unreachable: string[] = [];
  for (const host of hosts) {
    const status = view.status.get(host);
    if (failures.has(host)) failed.push(host);
    else if (!view.alive.has(host)) unreachable.push(host);
    else if (status?.step === "serving" && status.build === wanted && status.wish?.deploy === id) serving.push(host);
  }
  // Who has failed and goes back has its slot no more, and is not through.
  const isAtWork = (host: string): boolean => view.alive.has(host) && view.status.get(host)?.begun === true;
  const moving = Object.keys(out.slots).length > 0 || hosts.some(isAtWork);
  const isBack = goesBack(record);
  const over = new Set([...serving, ...failed, ...unreachable]);
  const left = hosts.filter((host) => !over.has(host));
  const settled = (isBack ? left.filter((host) => isTouched(host, view, record, out)) : left).length === 0;
  // The zone of a stage may have no host. One whose hosts leave, or have failed before they left, has proven nothing.
  const isNobody = all.length === 0 && failures.size === 0 && !isInLastStage(record);
  const complete = settled && !moving && (serving.length > 0 || isBack || isNobody);
  const isLeftByFailed = hosts.length === 0 && failures.size > 0;
  const hopeless = settled && !moving && serving.length === 0 && (failed.length > 0 || isLeftByFailed);
  return { hosts, serving, failed, unreachable, moving, complete, hopeless };
}

/**
 * The host serves the deploy's build, or the deploy left it unhealthy, so that what it served before does not run there.
 */
function isTouched(
  host: string,
  { status }: Pick<ConductedService, "status">,
  { build }: DeployRecord,
  { failed }: ConductedDeploy["out"],
): boolean {
  const failure = failed[host];
  return status.get(host)?.build === build || (failure?.build === build && !failure.healthy);
}
