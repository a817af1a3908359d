import { progressOf, type Progress } from "../core/rollout.ts";
import type { Wishes } from "../core/targets.ts";
import type { AgentRecord, DeployRecord, Gate, HostRecord, HostStatus, ServiceSettings } from "../schema/znodes.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { readFront } from "./deploys.ts";
import { readGate } from "./gate.ts";
import { readAgents, readHosts, readStatuses } from "./registry.ts";
import { readService } from "./services.ts";

/** One service as it stands: what is wished, what every host says, and how far the newest deploy has come. */
export interface Overview {
  readonly service: string;
  readonly settings: ServiceSettings;
  readonly wishes: Wishes;
  readonly hosts: ReadonlyMap<string, HostRecord>;
  readonly statuses: ReadonlyMap<string, HostStatus>;
  readonly agents: ReadonlyMap<string, AgentRecord>;
  /** Records that could not be read, in words. */
  readonly problems: readonly string[];
  readonly deploy: {
    readonly id: string;
    readonly record: DeployRecord;
    readonly gate: Gate;
    readonly progress: Progress;
  } | null;
}

export async function readOverview(zk: ZooKeeper, service: string): Promise<Overview> {
  const settings = await readService(zk, service);
  const problems: string[] = [];
  const onProblem = (problem: string) => problems.push(problem);
  const [front, hosts, statuses, agents] = await Promise.all([
    readFront(zk, service),
    readHosts(zk, service, onProblem),
    readStatuses(zk, service, onProblem),
    readAgents(zk),
  ]);
  const wishes = { enabled: front.enabled.value, canary: front.canary?.value ?? null };
  const read = front.latest === null ? null : await readGate(zk, service, front.latest.id);
  const view = { wishes, hosts, status: statuses, alive: new Set(agents.keys()) };
  const deploy =
    read === null ? null : { id: read.id, record: read.record, gate: read.gate, progress: progressOf(view, read) };
  return { service, settings, wishes, hosts, statuses, agents, problems, deploy };
}
