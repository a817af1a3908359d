import type { WatchEvent, ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import type { Session } from "../zookeeper/session.ts";
import { readNodes, type Node } from "./read_nodes.ts";

interface Watched {
  /** The client whose session has the watch. */
  client: ZooKeeper | null;
  remove: () => Promise<void>;
  isStale: boolean;
  /** A read is under way: what it answers may be older than an event that comes beside it. */
  isRead: boolean;
  node: Node | null;
  /** The end of the read that was asked for last. */
  last: Promise<unknown>;
}

/**
 * Nodes that are read again only when a watch says that they were changed. The watches are persistent ones, so none has
 * to be set again after each change, and a change costs one read however many look at the node.
 */
export class WatchedNodes {
  readonly #session: Session;
  readonly #onChange: () => void;
  readonly #nodes = new Map<string, Watched>();

  /** @param onChange called when something that was read may have changed */
  constructor(session: Session, onChange: () => void) {
    this.#session = session;
    this.#onChange = onChange;
  }

  /** The node as it is now; null where it does not exist. Who asks while somebody else does waits for that answer. */
  async read(path: string, signal: AbortSignal): Promise<Node | null> {
    const watched = this.#at(path);
    const now = watched.last.then(() => this.#readNow(path, watched, signal));
    watched.last = now.catch(() => null);
    return now;
  }

  async #readNow(path: string, watched: Watched, signal: AbortSignal): Promise<Node | null> {
    const { client } = this.#session;
    if (watched.client !== client) await this.#watch(path, watched, client, signal);
    if (!watched.isStale) return watched.node;
    // Whatever changes from here on makes it stale again.
    watched.isStale = false;
    watched.isRead = true;
    try {
      watched.node = (await readNodes(client, [path]))[0] ?? null;
    } catch (error) {
      watched.isStale = true;
      throw error;
    } finally {
      watched.isRead = false;
    }
    return watched.node;
  }

  /** What was read last, without asking; null where it did not exist or was never read. */
  seen(path: string): Node | null {
    return this.#nodes.get(path)?.node ?? null;
  }

  /** Everything is read again the next time: a watch can be lost in ways nobody has thought of. */
  doubt(): void {
    for (const watched of this.#nodes.values()) watched.isStale = true;
  }

  /** Only these are still of interest; the watches of the others are removed. */
  keepOnly(paths: ReadonlySet<string>): void {
    for (const [path, { client, remove }] of this.#nodes) {
      if (paths.has(path)) continue;
      this.#nodes.delete(path);
      // Where it cannot be removed, its events find nobody who listens.
      if (client === this.#session.client) void remove().catch(() => {});
    }
  }

  #at(path: string): Watched {
    const known = this.#nodes.get(path);
    if (known !== undefined) return known;
    const watched: Watched = {
      client: null,
      remove: async () => {},
      isStale: true,
      isRead: false,
      node: null,
      last: Promise.resolve(),
    };
    this.#nodes.set(path, watched);
    return watched;
  }

  async #watch(path: string, watched: Watched, client: ZooKeeper, signal: AbortSignal): Promise<void> {
    watched.isStale = true;
    const onEvent = (event: WatchEvent): void => this.#changed(path, client, event);
    try {
      const watch = await client.addWatch(path, "persistent", onEvent, { signal });
      Object.assign(watched, { client, remove: () => watch.remove() });
    } catch (error) {
      if (!isZooKeeperError(error, "UNIMPLEMENTED")) throw error;
      // Servers before 3.6 know only watches for one change; it is set again with each read.
      await client.exists(path, { watch: onEvent, signal });
    }
  }

  #changed(path: string, client: ZooKeeper, { type }: WatchEvent): void {
    const watched = this.#nodes.get(path);
    if (watched === undefined || client !== this.#session.client) return;
    // The node's own data and existence are all that is of interest.
    if (type === "children-changed") return;
    watched.isStale = true;
    // The answer to a read under way may say what the node was before: then only another read tells.
    if (type === "deleted" && !watched.isRead) [watched.isStale, watched.node] = [false, null];
    this.#onChange();
  }
}
