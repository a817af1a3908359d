import { isDeployError } from "../core/errors.ts";
import { agentRecordSchema, type AgentRecord } from "../schema/znodes.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { agentPath, agentsPath } from "./paths.ts";
import { childrenOf, readRecord } from "./records.ts";

/**
 * The hosts whose agents are connected, for the one that looks at all of them. Only an ephemeral node says so: any other
 * was made by hand or by a restore, and outlives everybody. What a watch reports is only marked; `refresh` then looks at it.
 */
export class LivingAgents {
  /** By host: the services that its agent runs, null where it does not say. */
  readonly #services = new Map<string, readonly string[] | null>();
  #stale: "all" | Set<string> = "all";

  /** The hosts whose agents are connected and run this service. */
  running(service: string): ReadonlySet<string> {
    const found = [...this.#services].filter(([, services]) => services === null || services.includes(service));
    return new Set(found.map(([host]) => host));
  }

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
      const found = await Promise.all(names.map((host) => readLivingAgent(zk, host)));
      if (stale === "all") this.#services.clear();
      for (const [index, host] of names.entries()) {
        const agent = found[index] ?? null;
        if (agent === null) this.#services.delete(host);
        else this.#services.set(host, agent.record?.services ?? null);
      }
    } catch (error) {
      this.#stale = "all";
      throw error;
    }
  }
}

/** Null where the host's agent is not connected; `record` is null where it says nothing that can be understood. */
export async function readLivingAgent(
  zk: ZooKeeper,
  host: string,
): Promise<{ readonly record: AgentRecord | null } | null> {
  const path = agentPath(host);
  const stat = await zk.exists(path);
  if (stat === null || stat.ephemeralOwner === 0n) return null;
  try {
    return { record: (await readRecord(zk, path, agentRecordSchema))?.value ?? null };
  } catch (error) {
    if (isDeployError(error) && error.code === "zookeeper-data-invalid") return { record: null };
    throw error;
  }
}

/** Whether a connected agent runs a service: its agent.toml may not name it any more. */
export function runsService({ services }: Pick<AgentRecord, "services">, service: string): boolean {
  return services?.includes(service) !== false;
}
