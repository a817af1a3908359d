import { agentRecordSchema, type AgentRecord } from "../schema/znodes.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { agentPath, agentsPath } from "./paths.ts";
import { readNodes, type Node } from "./read_nodes.ts";
import { childrenOf, isDamaged, recordIn } from "./records.ts";

/** An agent that is connected; `record` is null where its node cannot be understood. */
export interface LivingAgent {
  readonly record: AgentRecord | null;
}

/**
 * The hosts whose agents are connected, for a program that watches all of them. A watch event only marks a host;
 * `refresh` reads the marked ones.
 */
export class LivingAgents {
  readonly #agents = new Map<string, LivingAgent>();
  /** By service, for as long as no agent has come, changed or gone: each round of a conductor asks. */
  readonly #running = new Map<string, ReadonlySet<string>>();
  #stale: "all" | Set<string> = "all";

  /**
   * The hosts whose agents are connected and run this service; an agent that does not say which services it runs is
   * assumed to run it.
   */
  running(service: string): ReadonlySet<string> {
    const known = this.#running.get(service);
    if (known !== undefined) return known;
    const found = [...this.#agents].filter(([, { record }]) => record === null || runsService(record, service));
    const running = new Set(found.map(([host]) => host));
    this.#running.set(service, running);
    return running;
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
      const hosts = stale === "all" ? await childrenOf(zk, agentsPath) : [...stale];
      const found = await readLivingAgents(zk, hosts);
      if (stale === "all" || hosts.length > 0) this.#running.clear();
      if (stale === "all") this.#agents.clear();
      for (const host of hosts) {
        const agent = found.get(host);
        if (agent === undefined) this.#agents.delete(host);
        else this.#agents.set(host, agent);
      }
    } catch (error) {
      this.#stale = "all";
      throw error;
    }
  }
}

/** Of these hosts, those whose agents are connected. */
export async function readLivingAgents(zk: ZooKeeper, hosts: readonly string[]): Promise<Map<string, LivingAgent>> {
  const nodes = await readNodes(zk, hosts.map(agentPath));
  return new Map(
    hosts.flatMap((host, index) => {
      const agent = livingAgentIn(nodes[index] ?? null, host);
      return agent === null ? [] : [[host, agent] as const];
    }),
  );
}

/**
 * Null where the host's agent is not connected. Only an ephemeral node shows that it is: any other was made by hand or by
 * a restore, and does not go away with its session.
 */
export function livingAgentIn(node: Node | null, host: string): LivingAgent | null {
  if (node === null || node.stat.ephemeralOwner === 0n) return null;
  try {
    return { record: recordIn(node, agentPath(host), agentRecordSchema).value };
  } catch (error) {
    if (isDamaged(error)) return { record: null };
    throw error;
  }
}

/** Whether a connected agent runs a service: its agent.toml may no longer contain it. */
export function runsService({ services }: Pick<AgentRecord, "services">, service: string): boolean {
  return services?.includes(service) !== false;
}
