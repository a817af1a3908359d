import type { ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";

/**
 * The time by ZooKeeper's clock, in epoch milliseconds. In its protocol only a write tells the time, so a node of our own
 * is written again.
 *
 * @returns null where we may not write that node
 */
export async function readServerTime(zk: ZooKeeper, ownNode: string): Promise<number | null> {
  try {
    const { data } = await zk.get(ownNode);
    return (await zk.set(ownNode, data)).mtime;
  } catch (error) {
    if (isZooKeeperError(error, "NO_NODE", "NO_AUTH")) return null;
    throw error;
  }
}
