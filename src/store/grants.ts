import { withSlot } from "../core/gate.ts";
import { gateSchema, grantSchema, type Grant, type Slot } from "../schema/znodes.ts";
import { op, type WatchHandler, type ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import type { GateRead } from "./gate.ts";
import { agentPath, buildPath, deployPath, deploysPath, gatePath, grantPath, grantsPath, statusPath } from "./paths.ts";
import { encode, readRecord } from "./records.ts";

/** What else a grant depends on. Where any of it has changed since it was read, the grant fails. */
export interface GrantBasis {
  /** The gates of all other deploys of the service, also empty ones: a host may have been added to one since. */
  readonly others: readonly GateRead[];
  /** The version of the node above the deploys, which every new deploy changes. */
  readonly deploysVersion: number;
  /**
   * The version of the build's record, in which it was not barred; null where there is no record, or where the host has
   * the build already.
   */
  readonly build: { readonly id: string; readonly version: number } | null;
  /** The version of the host's status, which said that it waits: it may have come back into service by itself. */
  readonly statusVersion: number;
}

/**
 * Grants a host a slot in one `multi` that checks everything that was counted: the deploy is unchanged, the host's agent
 * is connected, its status is the one that asked, no deploy was added, and no other slot of this service has changed
 * hands since.
 *
 * @returns the gate as it stands afterwards, or null when something had changed and everything must be read again
 */
export async function grantSlot(
  zk: ZooKeeper,
  service: string,
  deploy: GateRead,
  basis: GrantBasis,
  host: string,
  slot: Slot,
): Promise<GateRead | null> {
  const gate = withSlot(deploy.gate, host, slot);
  const ops = [
    op.check(deployPath(service, deploy.id), deploy.recordVersion),
    op.check(agentPath(host), -1),
    op.check(deploysPath(service), basis.deploysVersion),
    op.check(statusPath(service, host), basis.statusVersion),
    ...(basis.build === null ? [] : [op.check(buildPath(service, basis.build.id), basis.build.version)]),
    ...basis.others.map((other) => op.check(gatePath(service, other.id), other.gateVersion)),
    op.set(gatePath(service, deploy.id), encode(gate), deploy.gateVersion),
    op.create(grantPath(service, deploy.id, host), encode(grantOf(slot))),
  ];
  try {
    await zk.multi(ops);
    return { ...deploy, gate, gateVersion: deploy.gateVersion + 1 };
  } catch (error) {
    if (isZooKeeperError(error, "NODE_EXISTS")) await dropStaleGrant(zk, service, deploy.id, host);
    else if (isZooKeeperError(error, "NO_NODE")) await restoreGrants(zk, service, deploy);
    else if (!isZooKeeperError(error, "BAD_VERSION")) throw error;
    return null;
  }
}

/** Makes the parent node of the grants again where somebody has deleted it, with the grants that the gate lists. */
async function restoreGrants(zk: ZooKeeper, service: string, { id, gate, gateVersion }: GateRead): Promise<void> {
  const path = grantsPath(service, id);
  if ((await zk.exists(path)) !== null) return;
  const grants = Object.entries(gate.slots).map(([host, slot]) =>
    op.create(grantPath(service, id, host), encode(grantOf(slot))),
  );
  try {
    await zk.multi([op.check(gatePath(service, id), gateVersion), op.create(path, ""), ...grants]);
  } catch (error) {
    if (!isZooKeeperError(error, "NO_NODE", "BAD_VERSION", "NODE_EXISTS")) throw error;
  }
}

function grantOf({ attempt, since, wasOut }: Slot): Grant {
  return { attempt, since, ...(wasOut === undefined ? {} : { wasOut }) };
}

/** Deletes a grant without a slot, left over from an attempt whose release was interrupted. */
async function dropStaleGrant(zk: ZooKeeper, service: string, deploy: string, host: string): Promise<void> {
  const gate = await readRecord(zk, gatePath(service, deploy), gateSchema);
  if (gate === null || gate.value.slots[host] !== undefined) return;
  try {
    await zk.multi([op.check(gatePath(service, deploy), gate.version), op.delete(grantPath(service, deploy, host))]);
  } catch (error) {
    if (!isZooKeeperError(error, "NO_NODE", "BAD_VERSION")) throw error;
  }
}

/** The grant that a waiting host watches for, or null; the watch fires when the grant is made or deleted. */
export async function readGrant(
  zk: ZooKeeper,
  service: string,
  deploy: string,
  host: string,
  watch: WatchHandler,
): Promise<Grant | null> {
  return (await readRecord(zk, grantPath(service, deploy, host), grantSchema, { watch }))?.value ?? null;
}
