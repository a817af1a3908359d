import type { ZooKeeper } from "../client.ts";
import { isZooKeeperError } from "../errors.ts";
import { isTerminal } from "../state.ts";

/** Our consecutive sessions: the current one, and whether a node's owner is one of them. */
export interface OwnSessions {
  /** The client of the current session. */
  readonly client: () => ZooKeeper;
  /** Whether a session is, or was, our own. Its node is no conflict: that of a former session of ours will soon be gone. */
  readonly isOurs: (sessionId: bigint) => boolean;
}

/**
 * Deletes the node at `path` if it is ours; returns when no node of ours is left.
 *
 * @throws ZooKeeperError saying why it could not be deleted
 */
export async function removeEphemeral(path: string, { client: current, isOurs }: OwnSessions): Promise<void> {
  for (;;) {
    const client = current();
    try {
      const stat = await client.exists(path);
      if (stat === null || !isOurs(stat.ephemeralOwner)) return;
      await client.delete(path, stat.version);
      return;
    } catch (error) {
      // A closed session's nodes are deleted with it.
      if (isZooKeeperError(error, "NO_NODE", "CLOSED")) return;
      // If the answer to a delete was lost, the path is read again; a lost session's node may also be left.
      const again = isZooKeeperError(error, "CONNECTION_LOSS", "BAD_VERSION", "SESSION_EXPIRED");
      if (!again || (isTerminal(client.state) && client === current())) throw error;
    }
  }
}
