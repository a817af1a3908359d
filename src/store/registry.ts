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
import type { ZooKeeper } from "../zookeeper/client.ts";
import { attempting } from "./errors.ts";
import { readLivingAgents, runsService } from "./living_agents.ts";
import { hostPath, hostsPath, statusPath } from "./paths.ts";
import { childrenOf, createMissing, encode, isDamaged, readDamaged, readRecord, type Versioned } from "./records.ts";

/** Registers the host once, as a fleet host; what an operator has changed since is left alone. */
export async function registerHost(zk: ZooKeeper, service: string, host: string, zone?: string): Promise<void> {
  const record: HostRecord = { role: "fleet", ...(zone === undefined ? {} : { zone }) };
  await createMissing(zk, hostPath(service, host), encode(record));
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
    // A record that cannot be read is replaced as a whole: which part of it is damaged is not known.
    const damaged = await readDamaged(zk, path, hostRecordSchema);
    const found = damaged ?? (await requireHost(zk, service, host));
    const record: HostRecord = { ...found.value, role };
    await zk.set(hostPath(service, host), encode(record), found.version);
    return record;
  });
}

/** Null where the host's agent is not connected, does not run the service, or has published no readable record. */
export async function readAgentOf(zk: ZooKeeper, service: string, host: string): Promise<AgentRecord | null> {
  const record = (await readLivingAgents(zk, [host])).get(host)?.record ?? null;
  return record !== null && runsService(record, service) ? record : null;
}

/** What the host says of itself; null where it has said nothing, or nothing that can be read. */
export async function readStatusOf(zk: ZooKeeper, service: string, host: string): Promise<HostStatus | null> {
  const found = await readRecord(zk, statusPath(service, host), hostStatusSchema).catch((error: unknown) => {
    if (isDamaged(error)) return null;
    throw error;
  });
  return found?.value ?? null;
}
