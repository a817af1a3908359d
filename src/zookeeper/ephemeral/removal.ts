import type { ZooKeeper } from "../client.ts";
import { isZooKeeperError } from "../errors.ts";
import { isTerminal } from "../state.ts";

/** Our sessions, which follow one another: the one we have now, and whether an owner of a node is one of them. */
export interface OwnSessions {
  /** The client of the session as it is now. */
  readonly client: () => ZooKeeper;
  /** Whether a session is, or was, our own. Its node is no conflict: that of an older session of ours will soon be gone. */
  readonly isOurs: (sessionId: bigint) => boolean;
}

/**
 * Deletes the node at `path` if it is ours; returns when none of ours is there any more.
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
      // A closed session takes its nodes along.
      if (isZooKeeperError(error, "NO_NODE", "CLOSED")) return;
      // A delete whose answer was lost is looked at again, and what a lost session has left as well.
      const again = isZooKeeperError(error, "CONNECTION_LOSS", "BAD_VERSION", "SESSION_EXPIRED");
      if (!again || (isTerminal(client.state) && client === current())) throw error;
    }
  }
}
