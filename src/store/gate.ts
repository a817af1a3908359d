import { z } from "zod";
import { gateAfter, type Gate, type GateMove } from "../core/gate.ts";
import {
  failureSchema,
  gateSchema,
  holdSchema,
  slotSchema,
  type Failure,
  type Hold,
  type Slot,
} from "../schema/znodes.ts";
import { read, type Op, op, type ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import { failurePath, failuresPath, gatePath, slotPath, slotsPath } from "./paths.ts";
import { readMany, readNodes, type Node } from "./read_nodes.ts";
import { emptyRecord, encode, isDamaged, recordIn } from "./records.ts";

/** A slot or a failure that cannot be read. */
interface GateProblem {
  readonly kind: keyof Gate["unreadable"];
  readonly host: string;
  /** What is wrong with it, for people: one sentence. */
  readonly problem: string;
}

/** The gate of a service as it was read, with the versions that its changes are checked against. */
export interface GateRead {
  /** The version of the gate's node: while it is unchanged, no slot and no failure has been changed. */
  readonly version: number;
  /** How many changes the gate's node has counted. */
  readonly moves: number;
  readonly gate: Gate;
  /** The versions of the failures' nodes. */
  readonly failedVersions: ReadonlyMap<string, number>;
  readonly problems: readonly GateProblem[];
}

/**
 * Reads the gate of a service, its node first: what is read after it is at least as new, and where it is newer, a change
 * made at the version that was read is refused.
 *
 * @returns null where the service has no gate
 */
export async function readGate(zk: ZooKeeper, service: string): Promise<GateRead | null> {
  const [node = null, slots = null, failed = null] = await readMany(zk, [
    read.get(gatePath(service)),
    read.children(slotsPath(service)),
    read.children(failuresPath(service)),
  ]);
  if (node?.type !== "get" || slots?.type !== "children" || failed?.type !== "children") return null;
  const [holders, losers] = [slots.children.toSorted(), failed.children.toSorted()];
  const nodes = await readNodes(zk, [
    ...holders.map((host) => slotPath(service, host)),
    ...losers.map((host) => failurePath(service, host)),
  ]);
  const found = new Found();
  for (const [at, host] of holders.entries()) found.slot(slotPath(service, host), host, nodes[at] ?? null);
  for (const [at, host] of losers.entries())
    found.failure(failurePath(service, host), host, nodes[holders.length + at] ?? null);
  return found.gateAt(node);
}

/** Collects what the nodes hold. One that does not exist any more was deleted with a change of the gate's version. */
class Found {
  readonly #slots = new Map<string, Slot>();
  readonly #holds = new Map<string, Hold>();
  readonly #failed = new Map<string, Failure>();
  readonly #failedVersions = new Map<string, number>();
  readonly #unreadable = { slots: new Set<string>(), failed: new Set<string>() };
  readonly #problems: GateProblem[] = [];

  slot(path: string, host: string, node: Node | null): void {
    const found = this.#valueOf("slots", host, () => node && heldOrGranted(node, path));
    if (found !== null && "hold" in found) this.#holds.set(host, found as Hold);
    else if (found !== null) this.#slots.set(host, found);
  }

  failure(path: string, host: string, node: Node | null): void {
    const failure = this.#valueOf("failed", host, () => node && wholeIn(node, path, failureSchema));
    if (node !== null) this.#failedVersions.set(host, node.stat.version);
    if (failure !== null) this.#failed.set(host, failure);
  }

  gateAt({ data, stat }: Node): GateRead {
    const gate = { slots: this.#slots, holds: this.#holds, failed: this.#failed, unreadable: this.#unreadable };
    const moves = movesIn({ data, stat });
    return { version: stat.version, moves, gate, failedVersions: this.#failedVersions, problems: this.#problems };
  }

  #valueOf<T>(kind: GateProblem["kind"], host: string, take: () => T | null): T | null {
    try {
      return take();
    } catch (error) {
      if (!isDamaged(error)) throw error;
      this.#unreadable[kind].add(host);
      this.#problems.push({ kind, host, problem: error.message });
      return null;
    }
  }
}

function heldOrGranted(node: Node, path: string): Slot | Hold {
  const isHold = wholeIn(node, path, z.looseObject({ hold: z.unknown().optional() })).hold !== undefined;
  return wholeIn(node, path, isHold ? holdSchema : slotSchema);
}

/** The record in a node in which there has to be one. */
function wholeIn<S extends z.ZodType>(node: Node, path: string, schema: S): z.output<S> {
  const { value } = recordIn(node, path, schema);
  if (value === null) throw emptyRecord(path);
  return value;
}

/** A count that somebody has damaged begins again: what protects is the node's version. */
function movesIn(node: Node): number {
  try {
    return recordIn(node, "", gateSchema).value?.moves ?? 0;
  } catch (error) {
    if (isDamaged(error)) return 0;
    throw error;
  }
}

/** The gate after changes that this process has made itself. */
export function gateReadAfter(before: GateRead, moves: readonly GateMove[]): GateRead {
  const failedVersions = new Map(before.failedVersions);
  for (const move of moves) {
    const { host } = move;
    const had = failedVersions.get(host);
    if (move.kind === "clear") failedVersions.delete(host);
    else if (move.kind === "fail" || move.kind === "lose") failedVersions.set(host, had === undefined ? 0 : had + 1);
    else if (healsIn(before.gate, move) && had !== undefined) failedVersions.set(host, had + 1);
  }
  const gate = gateAfter(before.gate, moves);
  return {
    version: before.version + 1,
    moves: before.moves + 1,
    gate,
    failedVersions,
    problems: before.problems.filter(({ kind, host }) => gate.unreadable[kind].has(host)),
  };
}

/** Whether the change makes a failed host one that can be counted on. */
function healsIn({ failed }: Gate, move: GateMove): boolean {
  const heals = move.kind === "heal" || (move.kind === "release" && move.healthy);
  return heals && failed.get(move.host)?.healthy === false;
}

/** The operation by which every change of slots and failures goes through the gate. */
export function gateOp(service: string, { version, moves }: Pick<GateRead, "version" | "moves">): Op {
  return op.set(gatePath(service), encode({ moves: moves + 1 }), version);
}

/** The operations that make one change, without those that check what it rests on. */
export function moveOps(service: string, { gate, failedVersions }: GateRead, move: GateMove): Op[] {
  const { host } = move;
  const slot = slotPath(service, host);
  const failure = failurePath(service, host);
  const version = failedVersions.get(host);
  // Its version says nothing: only somebody who has edited it by hand has raised it.
  const held = gate.slots.has(host) || gate.unreadable.slots.has(host) ? [op.delete(slot)] : [];
  switch (move.kind) {
    case "grant":
      return [op.create(slot, encode(move.slot))];
    case "hold":
      // A version of its own, so that no host takes it for the slot that it read there before.
      return [op.create(slot, ""), op.set(slot, encode(move.hold), 0)];
    case "reclaim":
      return held;
    case "unhold":
      return gate.holds.has(host) ? [op.delete(slot)] : [];
    case "release":
    case "heal": {
      const before = gate.failed.get(host);
      const healed = before !== undefined && healsIn(gate, move);
      const data = healed ? [op.set(failure, encode({ ...before, healthy: true }), version ?? -1)] : [];
      return move.kind === "heal" ? data : [...held, ...data];
    }
    case "fail":
    case "lose": {
      const data = encode(move.failure);
      return [...held, version === undefined ? op.create(failure, data) : op.set(failure, data, version)];
    }
    case "clear":
      return [...held, ...(version === undefined ? [] : [op.delete(failure, version)])];
  }
}

/** The nodes that the gate of a new service consists of. */
export function gatePaths(service: string): string[] {
  return [gatePath(service), slotsPath(service), failuresPath(service)];
}

/** Makes the nodes of the gate where one is missing: a person who deletes one means to begin with it anew. */
export async function restoreGate(zk: ZooKeeper, service: string): Promise<void> {
  for (const path of gatePaths(service)) {
    try {
      await zk.create(path, path === gatePath(service) ? encode({ moves: 0 }) : "");
    } catch (error) {
      if (!isZooKeeperError(error, "NODE_EXISTS", "NO_NODE")) throw error;
    }
  }
}
