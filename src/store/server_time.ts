import type { ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";

/**
 * The time by ZooKeeper's clock, in epoch milliseconds. Nothing in the protocol tells it but a write, so a node of our own
 * is written again.
 *
 * @returns null where that may not be written
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
