import { DeployError } from "../core/errors.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";

/**
 * Translates a ZooKeeper failure into a DeployError for the person or the loop that asked for `attempted`. Other errors
 * are returned as they are.
 *
 * @param attempted the beginning of the sentence, as in `Cannot read the settings of "web"`
 */
function storeError(error: unknown, attempted: string): unknown {
  if (!isZooKeeperError(error)) return error;
  if (error.outcome === "unknown") {
    return new DeployError(`${attempted}: the answer was lost (${error.code}), so it may or may not have happened.`, {
      code: "write-unknown",
      hint: "Look with `deployd ctl status`, or repeat the command: that is safe, since it does nothing twice.",
      retry: true,
      cause: error,
    });
  }
  switch (error.code) {
    case "BAD_VERSION":
    case "NODE_EXISTS":
    case "NOT_EMPTY":
      return new DeployError(
        `${attempted}: somebody else changed it at the same moment (${error.code} on ${error.path}).`,
        {
          code: "conflict",
          hint: "Look again and repeat the command if it still makes sense.",
          retry: true,
          cause: error,
        },
      );
    case "NO_AUTH":
    case "AUTH_FAILED":
      return new DeployError(`${attempted}: ZooKeeper refused the credentials (${error.code}).`, {
        code: "zookeeper-unreachable",
        hint: "Check zookeeper.digest (or DEPLOYD_ZOOKEEPER_DIGEST) against the ACLs of the tree.",
        cause: error,
      });
    case "NO_NODE":
      return new DeployError(`${attempted}: ${error.path ?? "the node"} does not exist.`, {
        code: "conflict",
        hint: "It may have been removed a moment ago; look again.",
        cause: error,
      });
    default:
      return new DeployError(`${attempted}: ZooKeeper cannot be reached (${error.code}: ${error.message}).`, {
        code: "zookeeper-unreachable",
        hint: "Check that ZooKeeper is up and that the server list names it.",
        retry: true,
        cause: error,
      });
  }
}

/** Runs `work` and turns a ZooKeeper failure into a DeployError that begins with `attempted`. */
export async function attempting<T>(attempted: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storeError(error, attempted);
  }
}
