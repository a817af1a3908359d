import { buildWanted, isRunning } from "../core/deploy_state.ts";
import { emptyGate, failuresOf, withFailure, withHealthy, withoutSlot, withSlot } from "../core/gate.ts";
import {
  deployRecordSchema,
  gateSchema,
  grantSchema,
  type DeployRecord,
  type Failure,
  type Gate,
  type Grant,
  type HostStatus,
  type Slot,
} from "../schema/znodes.ts";
import { op, type Op, type WatchHandler, type ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import { agentPath, deployPath, deploysPath, gatePath, grantPath, statusPath } from "./paths.ts";
import { encode, readRecord, type Versioned } from "./records.ts";

/** Losing this often in a row is no contention any more: something is wrong with the tree, and it should be said. */
const MAX_TRIES = 100;

/** `no such deploy`: its record was pruned or never made, so there is no gate to change either. */
export type GateOutcome = "changed" | "unchanged" | "no such deploy";

/** What a change to the gate is made of: the gate it leaves behind and what happens with it in the same `multi`. */
interface GateChange {
  readonly gate: Gate;
  readonly with?: readonly Op[];
}

/**
 * Changes a gate by compare-and-set, again and again until nobody was in between. `change` sees what is there and
 * returns null when there is nothing to do. A lost answer needs no care of its own: the next reading shows whether the
 * change happened, and every change here is one that does nothing twice.
 */
async function changeGate(
  zk: ZooKeeper,
  service: string,
  deploy: string,
  change: (gate: Gate, record: Versioned<DeployRecord>) => GateChange | null,
  options: { host: string; signal: AbortSignal },
): Promise<GateOutcome> {
  const grant = grantPath(service, deploy, options.host);
  for (let tries = 1; ; tries++) {
    options.signal.throwIfAborted();
    try {
      const [record, found, granted] = await Promise.all([
        readRecord(zk, deployPath(service, deploy), deployRecordSchema, options),
        readRecord(zk, gatePath(service, deploy), gateSchema, options),
        zk.exists(grant, options),
      ]);
      if (record === null || found === null) return "no such deploy";
      const next = change(found.value, record);
      if (next === null) return "unchanged";
      const ops = [
        ...(next.gate === found.value
          ? [op.check(gatePath(service, deploy), found.version)]
          : [op.set(gatePath(service, deploy), encode(next.gate), found.version)]),
        ...(next.with ?? []),
        ...(granted !== null && next.gate.slots[options.host] === undefined ? [op.delete(grant)] : []),
      ];
      await zk.multi(ops, options);
      return "changed";
    } catch (error) {
      if (!isZooKeeperError(error, "BAD_VERSION", "NO_NODE", "NODE_EXISTS", "CONNECTION_LOSS", "OPERATION_TIMEOUT")) {
        throw error;
      }
      if (tries >= MAX_TRIES) throw error;
    }
  }
}

interface HostMove {
  readonly service: string;
  readonly deploy: string;
  readonly host: string;
  readonly signal: AbortSignal;
}

/** The host is back in service: its slot and its status change together. */
export async function releaseSlot(zk: ZooKeeper, move: HostMove, status: HostStatus | null): Promise<GateOutcome> {
  const { service, deploy, host } = move;
  return changeGate(
    zk,
    service,
    deploy,
    (gate) => {
      const next = withHealthy(gate.slots[host] === undefined ? gate : withoutSlot(gate, host), host);
      if (next === gate && status === null) return null;
      return { gate: next, with: status === null ? [] : [op.set(statusPath(service, host), encode(status))] };
    },
    move,
  );
}

/**
 * The host failed: its slot, if it held one, becomes a failure, and a deploy whose budget that exceeds is halted in the
 * same `multi`. Nobody can be granted a slot between the failure and the halt.
 */
export async function reportFailure(
  zk: ZooKeeper,
  move: HostMove,
  failure: Failure,
  status: HostStatus | null,
  now: Date,
): Promise<GateOutcome> {
  const { service, deploy, host } = move;
  return changeGate(
    zk,
    service,
    deploy,
    (gate, record) => {
      const there = gate.failed[host];
      const said = there !== undefined && there.build === failure.build && there.since === failure.since;
      const next = said && gate.slots[host] === undefined ? gate : withFailure(gate, host, failure);
      const halt = haltOps(service, deploy, record, next, failure, host, now);
      if (next === gate && halt.length === 0 && status === null) return null;
      const ops = status === null ? halt : [...halt, op.set(statusPath(service, host), encode(status))];
      return { gate: next, with: ops };
    },
    move,
  );
}

/** The conductor's word that a slot holder is gone. The slot is never freed: what it was doing may have killed it. */
export async function loseHolder(zk: ZooKeeper, move: HostMove, attempt: number, now: Date): Promise<void> {
  const { service, deploy, host } = move;
  await changeGate(
    zk,
    service,
    deploy,
    (gate, record) => {
      const slot = gate.slots[host];
      // A newer slot is one that was granted since: its host is there.
      if (slot?.attempt !== attempt) return null;
      const failure: Failure = {
        reason: "lost while it held a slot",
        // A slot from before the deploy was turned round was for the build that is now taken back.
        build: slot.build ?? buildWanted(record.value) ?? record.value.build,
        healthy: false,
        since: now.toISOString(),
      };
      const next = withFailure(gate, host, failure);
      return { gate: next, with: haltOps(service, deploy, record, next, failure, host, now) };
    },
    move,
  );
}

/** Takes back a slot whose host has since taken up a newer wish. */
export async function reclaimSlot(zk: ZooKeeper, move: HostMove, attempt: number): Promise<void> {
  await changeGate(
    zk,
    move.service,
    move.deploy,
    (gate) => (gate.slots[move.host]?.attempt === attempt ? { gate: withoutSlot(gate, move.host) } : null),
    move,
  );
}

/** A host that had failed serves and is healthy again. */
export async function healHost(zk: ZooKeeper, move: HostMove): Promise<void> {
  await changeGate(
    zk,
    move.service,
    move.deploy,
    (gate) => {
      const next = withHealthy(gate, move.host);
      return next === gate ? null : { gate: next };
    },
    move,
  );
}

function haltOps(
  service: string,
  deploy: string,
  { value: record, version }: Versioned<DeployRecord>,
  gate: Gate,
  failure: Failure,
  host: string,
  now: Date,
): Op[] {
  // While a deploy goes back, a host that still fails on the build it came from is no reason to stop going back.
  if (!isRunning(record.state) || failure.build !== buildWanted(record)) return [];
  if (failuresOf(gate, failure.build).length <= record.limits.budget) return [];
  const time = now.toISOString();
  const halted: DeployRecord = {
    ...record,
    state: "halted",
    awaitingPromotion: false,
    reason: `${host}: ${failure.reason}`,
    times: { ...record.times, changed: time, ended: time },
  };
  return [op.set(deployPath(service, deploy), encode(halted), version)];
}

/** What the conductor has read of a deploy, with the versions that a grant is checked against. */
export interface GateRead {
  readonly id: string;
  readonly record: DeployRecord;
  readonly recordVersion: number;
  readonly gate: Gate;
  readonly gateVersion: number;
}

export async function readGate(zk: ZooKeeper, service: string, deploy: string): Promise<GateRead | null> {
  const [record, gate] = await Promise.all([
    readRecord(zk, deployPath(service, deploy), deployRecordSchema),
    readRecord(zk, gatePath(service, deploy), gateSchema),
  ]);
  if (record === null) return null;
  return {
    id: deploy,
    record: record.value,
    recordVersion: record.version,
    gate: gate?.value ?? emptyGate,
    gateVersion: gate?.version ?? -1,
  };
}

/** What else a grant rests on. Where any of it has changed since, there is no grant. */
export interface GrantBasis {
  /** The gates of all other deploys of the service, also of those with nobody in them: somebody may have come in since. */
  readonly others: readonly GateRead[];
  /** Of the node above the deploys, which every new deploy changes. */
  readonly deploysVersion: number;
  /** Of the host's status, which said that it waits: it may have come back to service by itself. */
  readonly statusVersion: number;
}

/**
 * Gives a host a slot in one `multi`, against everything that was counted: the deploy still stands as it was read, the
 * host's agent is connected and its status is the one that asked, no deploy has been added, and no other slot of this
 * service has changed hands since.
 *
 * @returns the gate as it stands afterwards, or null when something had changed and the whole must be read again
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
  const grant: Grant = { attempt: slot.attempt, since: slot.since };
  const ops = [
    op.check(deployPath(service, deploy.id), deploy.recordVersion),
    op.check(agentPath(host), -1),
    op.check(deploysPath(service), basis.deploysVersion),
    op.check(statusPath(service, host), basis.statusVersion),
    ...basis.others.map((other) => op.check(gatePath(service, other.id), other.gateVersion)),
    op.set(gatePath(service, deploy.id), encode(gate), deploy.gateVersion),
    op.create(grantPath(service, deploy.id, host), encode(grant)),
  ];
  try {
    await zk.multi(ops);
    return { ...deploy, gate, gateVersion: deploy.gateVersion + 1 };
  } catch (error) {
    if (isZooKeeperError(error, "NODE_EXISTS")) await dropStaleGrant(zk, service, deploy.id, host);
    else if (!isZooKeeperError(error, "BAD_VERSION", "NO_NODE")) throw error;
    return null;
  }
}

/** A grant without a slot is left over from an attempt whose release was cut short. */
async function dropStaleGrant(zk: ZooKeeper, service: string, deploy: string, host: string): Promise<void> {
  const gate = await readRecord(zk, gatePath(service, deploy), gateSchema);
  if (gate === null || gate.value.slots[host] !== undefined) return;
  try {
    await zk.multi([op.check(gatePath(service, deploy), gate.version), op.delete(grantPath(service, deploy, host))]);
  } catch (error) {
    if (!isZooKeeperError(error, "NO_NODE", "BAD_VERSION")) throw error;
  }
}

/** The grant a waiting host watches for, or null; the watch fires when it comes or goes. */
export async function readGrant(
  zk: ZooKeeper,
  service: string,
  deploy: string,
  host: string,
  watch: WatchHandler,
): Promise<Grant | null> {
  return (await readRecord(zk, grantPath(service, deploy, host), grantSchema, { watch }))?.value ?? null;
}
