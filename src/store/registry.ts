import { DeployError } from "../core/errors.ts";
import { nearest } from "../schema/problems.ts";
import {
  hostRecordSchema,
  hostStatusSchema,
  type AgentRecord,
  type HostRecord,
  type HostStatus,
  type Role,
} from "../schema/znodes.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { attempting } from "./errors.ts";
import { readLivingAgent, runsService } from "./living_agents.ts";
import { agentsPath, hostPath, hostsPath, statusPath, statusesPath } from "./paths.ts";
import { childrenOf, encode, readChildren, readDamaged, readRecord, readSlot, type Versioned } from "./records.ts";

/** Registers the host once, as fleet; what an operator has set since is left alone. */
export async function registerHost(zk: ZooKeeper, service: string, host: string, zone?: string): Promise<void> {
  const record: HostRecord = { role: "fleet", ...(zone === undefined ? {} : { zone }) };
  try {
    await zk.create(hostPath(service, host), encode(record));
  } catch (error) {
    if (!isZooKeeperError(error, "NODE_EXISTS")) throw error;
  }
}

/** A host that somebody registered without saying more is a fleet host, as it is to its own agent. */
export async function readHost(zk: ZooKeeper, service: string, host: string): Promise<HostRecord | null> {
  const found = await readSlot(zk, hostPath(service, host), hostRecordSchema);
  return found === null ? null : (found.value ?? hostRecordSchema.parse({}));
}

export async function readHosts(
  zk: ZooKeeper,
  service: string,
  onProblem: (problem: string, host: string) => void = () => {},
): Promise<Map<string, HostRecord>> {
  return attempting(`Cannot list the hosts of "${service}"`, () =>
    readChildren(zk, hostsPath(service), (host) => readHost(zk, service, host), onProblem),
  );
}

/** @throws DeployError `host-unknown`, with the nearest known name */
export async function requireHost(zk: ZooKeeper, service: string, host: string): Promise<Versioned<HostRecord>> {
  const found = await readRecord(zk, hostPath(service, host), hostRecordSchema);
  if (found !== null) return found;
  const near = nearest(host, await childrenOf(zk, hostsPath(service)));
  throw new DeployError(`There is no host "${host}" in "${service}".`, {
    code: "host-unknown",
    hint:
      near === undefined
        ? "A host registers itself when its agent starts with the service in its agent.toml."
        : `Did you mean "${near}"?`,
  });
}

/** @throws DeployError `host-unknown` */
export async function setRole(zk: ZooKeeper, service: string, host: string, role: Role): Promise<HostRecord> {
  return attempting(`Cannot make "${host}" a ${role} host of "${service}"`, async () => {
    const path = hostPath(service, host);
    // One that cannot be read is replaced whole: which part of it is damaged is not known.
    const damaged = await readDamaged(zk, path, hostRecordSchema);
    const found = damaged ?? (await requireHost(zk, service, host));
    const record: HostRecord = { ...found.value, role };
    await zk.set(hostPath(service, host), encode(record), found.version);
    return record;
  });
}

/**
 * What the hosts say of themselves. `since` is when they said it, by ZooKeeper's clock: of theirs nobody knows how they go
 * (docs/adr/0022).
 */
export async function readStatuses(
  zk: ZooKeeper,
  service: string,
  onProblem: (problem: string) => void = () => {},
): Promise<Map<string, HostStatus>> {
  return attempting(`Cannot read the status of "${service}"`, () =>
    readChildren(
      zk,
      statusesPath(service),
      async (host) => {
        const found = await readRecord(zk, statusPath(service, host), hostStatusSchema);
        return found === null ? null : { ...found.value, since: new Date(found.writtenAtMs).toISOString() };
      },
      onProblem,
    ),
  );
}

/** What the agents say of themselves that are connected now and run the service. */
export async function readAgents(zk: ZooKeeper, service: string): Promise<Map<string, AgentRecord>> {
  return attempting("Cannot list the agents", () =>
    readChildren(
      zk,
      agentsPath,
      (host) => readAgentOf(zk, service, host),
      () => {},
    ),
  );
}

/** Null where the host's agent is not connected, does not run the service, or says nothing. */
export async function readAgentOf(zk: ZooKeeper, service: string, host: string): Promise<AgentRecord | null> {
  const record = (await readLivingAgent(zk, host))?.record ?? null;
  return record !== null && runsService(record, service) ? record : null;
}
