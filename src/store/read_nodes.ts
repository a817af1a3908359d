import { read, type ReadOp, type ReadResult, type Stat, type ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";

/**
 * A status is smaller than 4 kB, so an answer with this many stays below 1 MB, the default limit of clients and servers.
 */
const MOST_IN_A_BATCH = 200;

/** What a node holds. */
export interface Node {
  readonly data: Uint8Array;
  readonly stat: Stat;
}

/** Clients whose server is older than 3.6 and does not know batched reads (multiRead). */
const oneByOne = new WeakSet<ZooKeeper>();

/**
 * Reads many nodes in a handful of requests that are all sent at once: it takes one round trip, or two where the server
 * does not know batches. They are answered in the given order, so a path that comes later is read from a tree that is at
 * least as new.
 *
 * @returns for each path its node, null where it does not exist
 */
export async function readNodes(zk: ZooKeeper, paths: readonly string[]): Promise<(Node | null)[]> {
  return (await readMany(zk, paths.map(read.get))).map((found) => (found?.type === "get" ? found : null));
}

/** Reads many nodes like `readNodes`, and can also list children. */
export async function readMany(zk: ZooKeeper, ops: readonly ReadOp[]): Promise<(ReadOutcome | null)[]> {
  if (ops.length < 2 || oneByOne.has(zk)) return Promise.all(ops.map((op) => readOne(zk, op)));
  const batches: Promise<ReadResult[]>[] = [];
  for (let at = 0; at < ops.length; at += MOST_IN_A_BATCH)
    batches.push(zk.multiRead(ops.slice(at, at + MOST_IN_A_BATCH)));
  try {
    return (await Promise.all(batches)).flat().map(thereOrNull);
  } catch (error) {
    if (!isZooKeeperError(error, "UNIMPLEMENTED")) throw error;
    oneByOne.add(zk);
    return readMany(zk, ops);
  }
}

type ReadOutcome = Exclude<ReadResult, { type: "error" }>;

async function readOne(zk: ZooKeeper, { type, path }: ReadOp): Promise<ReadOutcome | null> {
  try {
    return type === "get" ? { type, ...(await zk.get(path)) } : { type, ...(await zk.children(path)) };
  } catch (error) {
    if (isZooKeeperError(error, "NO_NODE")) return null;
    throw error;
  }
}

function thereOrNull(result: ReadResult): ReadOutcome | null {
  if (result.type !== "error") return result;
  if (result.error.code === "NO_NODE") return null;
  throw result.error;
}
