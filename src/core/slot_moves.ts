import type { Failure, HostStatus, Slot, ToldFailure } from "../schema/znodes.ts";
import { belongs, type ConductedDeploy, type ConductedService } from "./conducted.ts";
import { buildWanted, grantsSlots, isRunning } from "./deploy_state.ts";
import type { Gate, GateMove } from "./gate.ts";

/**
 * What the hosts' statuses, and their absence, make of slots and failures. Hosts say only how they are; whoever conducts
 * moves their slots.
 */
export function slotMoves(view: ConductedService): GateMove[] {
  const { gate } = view;
  if (gate === null) return [];
  const moves: GateMove[] = [];
  for (const [host, slot] of gate.slots) {
    if (view.leftOut.has(host)) continue;
    const move = ofSlot(view, host, slot);
    if (move !== null) moves.push(move);
  }
  for (const host of gate.unreadable.slots) {
    if (view.leftOut.has(host)) continue;
    if (isAtRest(view, host)) moves.push({ kind: "reclaim", host });
    else if (hasLeft(view, host)) moves.push({ kind: "clear", host });
  }
  for (const host of gate.unreadable.failed) {
    if (view.leftOut.has(host) || gate.slots.has(host) || gate.unreadable.slots.has(host)) continue;
    if (isInService(view, host) || hasLeft(view, host)) moves.push({ kind: "clear", host });
  }
  for (const [host, status] of view.status) {
    if (view.leftOut.has(host) || gate.slots.has(host)) continue;
    if (gate.unreadable.slots.has(host) || gate.unreadable.failed.has(host)) continue;
    const failure = failureToCount(view, gate, host, status);
    if (failure !== null) moves.push({ kind: "fail", host, failure });
  }
  const failedNow = new Set(moves.flatMap(({ kind, host }) => (kind === "fail" ? [host] : [])));
  for (const [host, failure] of gate.failed) {
    if (view.leftOut.has(host) || failedNow.has(host)) continue;
    if (gate.slots.has(host) || gate.unreadable.slots.has(host)) continue;
    const move = ofFailure(view, host, failure);
    if (move !== null) moves.push(move);
  }
  return moves;
}

/** A person has taken the host out of the service for good. */
function hasLeft(view: ConductedService, host: string): boolean {
  return !view.alive.has(host) && !belongs(view, host);
}

/** Whatever its slot says: the host has begun nothing by it. */
function isAtRest({ alive, status }: ConductedService, host: string): boolean {
  return alive.has(host) && status.get(host)?.begun === false;
}

/** Whatever its failure says: the host serves, and is well. */
function isInService(view: ConductedService, host: string): boolean {
  const said = view.status.get(host);
  return isAtRest(view, host) && said?.step === "serving" && said.health === "healthy";
}

function ofSlot(view: ConductedService, host: string, slot: Slot): GateMove | null {
  const isAlive = view.alive.has(host);
  // A person has taken it out of the service for good: it takes no capacity, and what it was at counts in the budget.
  if (!isAlive && !belongs(view, host)) return given(view, host, slot, false);
  const status = view.status.get(host);
  // A status that cannot be read says nothing, neither that the slot is used nor that it is not.
  if (status === undefined) return isAlive || view.unreadable.statuses.has(host) ? null : lost(view, host, slot);
  const told = status.failure;
  if (told !== null && told.attempt === slot.attempt && told.deploy === slot.deploy) {
    return { kind: "fail", host, failure: counted(view, told) };
  }
  if (isUnlocked(view, host, slot)) return given(view, host, slot, isAlive);
  // Whatever number it says: one whose journal cannot be read knows none, and may be at work all the same.
  if (status.begun) return isAlive ? null : lost(view, host, slot);
  // A host's number only grows. A higher one than the slot's is for a newer wish; a lower one shows that somebody else
  // asked for the slot.
  if (status.attempt !== slot.attempt) return { kind: "reclaim", host };
  if (status.step === "serving") return { kind: "release", host, healthy: status.health !== "unhealthy" };
  const waits = status.step === "ready" && isAlive && mayBegin(view, slot);
  const isBackInService = slot.wasOut === true && status.health === "healthy";
  return waits && !isBackInService ? null : { kind: "reclaim", host };
}

/** Whether a host that holds this slot and has not begun may still begin. */
function mayBegin({ deploys, unreadable }: ConductedService, { deploy, build }: Slot): boolean {
  const found = deploys.find(({ id }) => id === deploy);
  if (found === undefined) return unreadable.deploys.has(deploy);
  return grantsSlots(found.record) && buildWanted(found.record) === build;
}

/** The slot is never freed: what the host was doing may have broken it. */
function lost(view: ConductedService, host: string, slot: Slot): GateMove | null {
  if (isUnlocked(view, host, slot)) return given(view, host, slot, false);
  const missingSince = view.missingSince.get(host);
  if (missingSince === undefined || view.nowMs - missingSince < view.lostAfterMs) return null;
  return { kind: "lose", host, failure: ofHolder(view, slot, false) };
}

/** The slot becomes a failure that takes no capacity, because a person says so. */
function given(view: ConductedService, host: string, slot: Slot, isAlive: boolean): GateMove {
  return { kind: isAlive ? "fail" : "lose", host, failure: ofHolder(view, slot, true) };
}

function ofHolder(view: ConductedService, { deploy, attempt, build }: Slot, healthy: boolean): Failure {
  const again = view.deploys.find(({ id }) => id === deploy)?.record.again ?? 0;
  const told = { deploy, attempt, build, reason: "lost while it held a slot", again, healthy };
  return counted(view, { ...told, since: view.now.toISOString() });
}

/** Whether a person has said that what came of this attempt of the host may be disregarded. */
function isUnlocked(
  { hosts }: ConductedService,
  host: string,
  { deploy, attempt }: Pick<Slot, "deploy" | "attempt">,
): boolean {
  const unlocked = hosts.get(host)?.unlocked;
  return unlocked?.deploy === deploy && unlocked.attempt === attempt;
}

/** The failure that a host tells of, where it matters and is not on record; one without a slot happened in PREPARE. */
function failureToCount(view: ConductedService, gate: Gate, host: string, status: HostStatus): Failure | null {
  const { failure } = status;
  if (failure === null || !belongs(view, host)) return null;
  const known = gate.failed.get(host);
  if (known !== undefined && known.deploy === failure.deploy && known.attempt >= failure.attempt) return null;
  const deploy = view.deploys.find(({ id }) => id === failure.deploy);
  return deploy === undefined || !isOfInterest(view, deploy, host) ? null : counted(view, failure);
}

function ofFailure(view: ConductedService, host: string, failure: Failure): GateMove | null {
  const isForgotten = !view.alive.has(host) && !belongs(view, host);
  if (!failure.healthy) return isForgotten || isWellAgain(view, host, failure) ? { kind: "heal", host } : null;
  const deploy = view.deploys.find(({ id }) => id === failure.deploy);
  const isOver = deploy === undefined && !view.unreadable.deploys.has(failure.deploy) && !view.unreadable.wishes;
  return isOver ? { kind: "clear", host } : null;
}

function isWellAgain(view: ConductedService, host: string, failure: Failure): boolean {
  if (isUnlocked(view, host, failure)) return true;
  const { alive, status } = view;
  const said = status.get(host);
  if (!alive.has(host) || said?.health !== "healthy" || said.begun) return false;
  // The stale status of a lost host is neither: it has still begun.
  return said.step === "serving" || said.step === "failed" || said.attempt > failure.attempt;
}

/** A failure under a deploy that has ended, and that its host does not follow any more, is history. */
function isOfInterest({ status }: ConductedService, { id, record }: ConductedDeploy, host: string): boolean {
  return isRunning(record) || status.get(host)?.wish?.deploy === id;
}

function counted({ deploys }: ConductedService, told: ToldFailure): Failure {
  const round = deploys.find(({ id }) => id === told.deploy)?.record.round ?? 1;
  // Fields are copied one by one: what a newer agent says beside them is its own.
  const { deploy, attempt, build, reason, again, healthy, since } = told;
  return { deploy, attempt, build, reason, again, healthy, since, round };
}
