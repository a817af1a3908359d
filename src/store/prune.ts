import { isRunning } from "../core/deploy_state.ts";
import { op, type ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import type { GateRead } from "./gate.ts";
import { deployPath, gatePath, grantPath, grantsPath } from "./paths.ts";
import { childrenOf } from "./records.ts";

/** How many deploys of a service are kept on record. */
const KEPT_DEPLOYS = 50;

/**
 * The deploys that may be removed: beyond the newest `keep`, ended, not wished, and with no host out of service because
 * of them.
 */
export function prunable(deploys: readonly GateRead[], wished: ReadonlySet<string>, keep = KEPT_DEPLOYS): string[] {
  return deploys
    .toSorted((a, b) => (a.czxid < b.czxid ? 1 : -1))
    .slice(keep)
    .filter(
      ({ id, record, gate }) =>
        !isRunning(record) &&
        !wished.has(id) &&
        Object.keys(gate.slots).length === 0 &&
        Object.values(gate.failed).every((failure) => failure.healthy),
    )
    .map(({ id }) => id);
}

/** Removes a deploy's record and everything below it in one `multi`. It is no error when somebody else was faster. */
export async function removeDeploy(zk: ZooKeeper, service: string, id: string): Promise<void> {
  const grants = await childrenOf(zk, grantsPath(service, id));
  try {
    await zk.multi([
      ...grants.map((host) => op.delete(grantPath(service, id, host))),
      op.delete(grantsPath(service, id)),
      op.delete(gatePath(service, id)),
      op.delete(deployPath(service, id)),
    ]);
  } catch (error) {
    if (!isZooKeeperError(error, "NO_NODE", "NOT_EMPTY", "BAD_VERSION")) throw error;
  }
}
