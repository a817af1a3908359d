import { isRunning } from "../core/deploy_state.ts";
import { op, type ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import type { DeployRead } from "./service_records.ts";
import { deployPath, timelinePath, toldPath } from "./paths.ts";

/** How many deploys of a service are kept on record. */
const KEPT_DEPLOYS = 50;

/**
 * The deploys that may be removed: beyond the newest `keep`, ended, not wished, and with no host out of service because
 * of them.
 */
export function prunable(deploys: readonly DeployRead[], wished: ReadonlySet<string>, keep = KEPT_DEPLOYS): string[] {
  return deploys
    .toSorted((a, b) => (a.czxid < b.czxid ? 1 : -1))
    .slice(keep)
    .filter(
      ({ id, record, out }) =>
        !isRunning(record) &&
        !wished.has(id) &&
        Object.keys(out.slots).length === 0 &&
        Object.values(out.failed).every((failure) => failure.healthy),
    )
    .map(({ id }) => id);
}

/**
 * Removes a deploy's record, and what nobody would find without it. In one, or who conducts next would tell all of it again.
 * It is no error when somebody else was faster.
 */
export async function removeDeploy(zk: ZooKeeper, service: string, id: string): Promise<void> {
  const beside = [toldPath(service, id), timelinePath(service, id)];
  try {
    const are = await Promise.all(beside.map(async (path) => (await zk.exists(path)) !== null));
    const paths = [...beside.filter((_, at) => are[at] === true), deployPath(service, id)];
    await zk.multi(paths.map((path) => op.delete(path)));
  } catch (error) {
    if (!isZooKeeperError(error, "NO_NODE", "NOT_EMPTY", "BAD_VERSION")) throw error;
  }
}
