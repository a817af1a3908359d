import type { ZooKeeper } from "../zookeeper/client.ts";
import { agentPath, agentsPath } from "./paths.ts";
import { childrenOf } from "./records.ts";

/**
 * The hosts whose agents are connected, for the one that looks at all of them. Only an ephemeral node says so: any other
 * was made by hand or by a restore, and outlives everybody. What a watch reports is only marked; `refresh` then looks at it.
 */
export class LivingAgents {
  readonly hosts = new Set<string>();
  #stale: "all" | Set<string> = "all";

  /** After a reconnect events may be missing, so everything counts as changed. */
  markAll(): void {
    this.#stale = "all";
  }

  /** @param path of a node that was created, changed or deleted */
  mark(path: string): void {
    const host = path.slice(agentsPath.length + 1).split("/")[0];
    if (host !== undefined && host !== "" && this.#stale !== "all") this.#stale.add(host);
  }

  async refresh(zk: ZooKeeper): Promise<void> {
    const stale = this.#stale;
    this.#stale = new Set();
    try {
      const names = stale === "all" ? await childrenOf(zk, agentsPath) : [...stale];
      const found = await Promise.all(names.map((host) => isConnected(zk, host)));
      if (stale === "all") this.hosts.clear();
      for (const [index, host] of names.entries()) {
        if (found[index] === true) this.hosts.add(host);
        else this.hosts.delete(host);
      }
    } catch (error) {
      this.#stale = "all";
      throw error;
    }
  }
}

/** Whether a host's agent is connected now. */
export async function isConnected(zk: ZooKeeper, host: string): Promise<boolean> {
  const stat = await zk.exists(agentPath(host));
  return stat !== null && stat.ephemeralOwner !== 0n;
}
