import { halted } from "../core/deploy.ts";
import { buildWanted, isRunning } from "../core/deploy_state.ts";
import { countedFailures, withCost, withFailure, withHealthy, withoutSlot } from "../core/gate.ts";
import { deployRecordSchema, type DeployRecord } from "../schema/deploy_record.ts";
import type { RestartCost } from "../schema/journal.ts";
import { gateSchema, type Failure, type Gate, type HostStatus } from "../schema/znodes.ts";
import { op, type Op, type ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import { deployPath, gatePath, grantPath, statusPath } from "./paths.ts";
import { readNodes, type Node } from "./read_nodes.ts";
import { emptyRecord, encode, readRecord, recordIn, type Versioned } from "./records.ts";

/** Losing this many times in a row is no contention any more: something is wrong with the tree and has to be reported. */
const MAX_TRIES = 100;

/** `no such deploy`: its record was pruned or never made, so there is no gate to change either. */
export type GateOutcome = "changed" | "unchanged" | "no such deploy";

/** A change to the gate: its new value, and the operations to be done in the same `multi`. */
interface GateChange {
  readonly gate: Gate;
  readonly with?: readonly Op[];
}

/**
 * Changes a gate by compare-and-set, repeated until nobody else has changed it in between. `change` gets the current gate
 * and returns null when there is nothing to do. A lost answer needs no special care: the next read shows whether the
 * change happened, and every change is idempotent.
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
export async function releaseSlot(
  zk: ZooKeeper,
  move: HostMove,
  status: HostStatus | null,
  cost: RestartCost | null = null,
): Promise<GateOutcome> {
  const { service, deploy, host } = move;
  return changeGate(
    zk,
    service,
    deploy,
    (gate) => {
      const held = gate.slots[host] !== undefined;
      const without = held ? priced(withoutSlot(gate, host), cost) : gate;
      // A host whose activation a newer wish ended may be unhealthy: it gives its slot back, and its failure stays on
      // record.
      const next = status?.health === "unhealthy" ? without : withHealthy(without, host);
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
  cost: RestartCost | null = null,
): Promise<GateOutcome> {
  const { service, deploy, host } = move;
  return changeGate(
    zk,
    service,
    deploy,
    (gate, record) => {
      const there = gate.failed[host];
      const said = there !== undefined && there.build === failure.build && there.since === failure.since;
      const held = gate.slots[host] !== undefined;
      const next = said && !held ? gate : priced(withFailure(gate, host, failure), held ? cost : null);
      const halt = haltOps(service, deploy, record, next, failure, host, now);
      if (next === gate && halt.length === 0 && status === null) return null;
      const ops = status === null ? halt : [...halt, op.set(statusPath(service, host), encode(status))];
      return { gate: next, with: ops };
    },
    move,
  );
}

/**
 * The cost of a restart is added when the slot goes, so that it is counted once, even when an answer is lost and the
 * change is repeated.
 */
function priced(gate: Gate, cost: RestartCost | null): Gate {
  return cost === null || cost.instances === 0 ? gate : withCost(gate, cost);
}

/**
 * Records that the conductor counts a slot holder as lost. The slot is never freed: what the host was doing may have
 * broken it.
 */
export async function loseHolder(zk: ZooKeeper, move: HostMove, attempt: number, now: Date): Promise<void> {
  const { service, deploy, host } = move;
  await changeGate(
    zk,
    service,
    deploy,
    (gate, record) => {
      const slot = gate.slots[host];
      // A slot of another attempt was granted since, so its host is back.
      if (slot?.attempt !== attempt) return null;
      const failure: Failure = {
        reason: "lost while it held a slot",
        // A slot from before the deploy was turned round was for the build that is now taken back.
        build: slot.build ?? buildWanted(record.value),
        healthy: false,
        since: now.toISOString(),
        attempt,
      };
      const next = withFailure(gate, host, failure);
      return { gate: next, with: haltOps(service, deploy, record, next, failure, host, now) };
    },
    move,
  );
}

/**
 * Takes back a slot that its host no longer asks for: the host has taken up a newer wish, or the number is not its own.
 *
 * @param statusVersion the version of the status that shows this
 */
export async function reclaimSlot(
  zk: ZooKeeper,
  move: HostMove,
  attempt: number,
  statusVersion: number,
): Promise<void> {
  let isTried = false;
  await changeGate(
    zk,
    move.service,
    move.deploy,
    (gate) => {
      // After a failed try the conductor has to look again: the status may say something else by then.
      if (isTried || gate.slots[move.host]?.attempt !== attempt) return null;
      isTried = true;
      const said = op.check(statusPath(move.service, move.host), statusVersion);
      return { gate: withoutSlot(gate, move.host), with: [said] };
    },
    move,
  );
}

/** Records that a host that had failed serves and is healthy again. */
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
  if (!isRunning(record) || failure.build !== buildWanted(record)) return [];
  if (countedFailures(gate, failure.build).length <= record.limits.budget) return [];
  const next = halted(record, `${host}: ${failure.reason}`, now);
  return [op.set(deployPath(service, deploy), encode(next), version)];
}

/** A deploy and its gate as the conductor has read them, with the versions that a grant is checked against. */
export interface GateRead {
  readonly id: string;
  /** The transaction that created the deploy. */
  readonly czxid: bigint;
  /** When the deploy was begun and when its record was written last, by ZooKeeper's clock, in epoch milliseconds. */
  readonly madeAtMs: number;
  readonly writtenAtMs: number;
  readonly record: DeployRecord;
  readonly recordVersion: number;
  readonly gate: Gate;
  readonly gateVersion: number;
}

/**
 * Reads a deploy with its gate; null where there is no such deploy.
 *
 * @throws DeployError `zookeeper-data-invalid` when its record or gate exists but is empty or cannot be read: which hosts
 *   are out of service because of it is then not known, which is not the same as none
 */
export async function readGate(zk: ZooKeeper, service: string, deploy: string): Promise<GateRead | null> {
  const [record, gate] = await readNodes(zk, [deployPath(service, deploy), gatePath(service, deploy)]);
  if (record === null || record === undefined) return null;
  // Between the two reads the deploy may have been pruned together with its gate.
  if (gate === null && (await zk.exists(deployPath(service, deploy))) === null) return null;
  const recordRead = recordIn(record, deployPath(service, deploy), deployRecordSchema);
  return gateIn(service, deploy, recordRead, gate ?? null);
}

/**
 * @param gateNode null where it does not exist
 * @throws DeployError `zookeeper-data-invalid`
 */
export function gateIn(
  service: string,
  deploy: string,
  record: Versioned<DeployRecord | null>,
  gateNode: Node | null,
): GateRead {
  if (record.value === null) throw emptyRecord(deployPath(service, deploy));
  const path = gatePath(service, deploy);
  const gate = gateNode === null ? null : recordIn(gateNode, path, gateSchema);
  if (gate === null || gate.value === null) throw emptyRecord(path);
  return {
    id: deploy,
    czxid: record.czxid,
    madeAtMs: record.madeAtMs,
    writtenAtMs: record.writtenAtMs,
    record: record.value,
    recordVersion: record.version,
    gate: gate.value,
    gateVersion: gate.version,
  };
}
