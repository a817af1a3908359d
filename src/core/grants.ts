import type { Slot } from "../schema/znodes.ts";
import type { ConductedDeploy, ConductedService, Unreadable } from "./conducted.ts";
import { buildWanted, goesBack, grantsSlots } from "./deploy_state.ts";
import { countedFailures, type GateMove } from "./gate.ts";
import { allowedBy, baseNow } from "./limit_base.ts";
import { inZone, outNow, taken } from "./out_of_service.ts";
import { targetFor } from "./targets.ts";

type Grant = Extract<GateMove, { kind: "grant" }>;

/** Why no host of the service is granted a slot, whoever waits; null where nothing forbids slots altogether. */
export function grantsWithheld({ wishes }: Pick<Unreadable, "wishes">, hasGate: boolean): string | null {
  if (wishes) return "no slot is granted while the wish cannot be read";
  return hasGate ? null : "no slot is granted while the gate of the service is missing";
}

/**
 * Grants at most `max` hosts out of service. A host that is out already, because it is unhealthy or serves nothing yet,
 * takes no capacity from the fleet when it is granted a slot: otherwise a fleet of which every host is unhealthy could
 * never be given the build that repairs it (docs/adr/0004).
 *
 * @param halting deploys that are halted in the same round
 */
export function grants(view: ConductedService, halting: ReadonlySet<string>): Grant[] {
  const { gate } = view;
  if (gate === null || grantsWithheld(view.unreadable, true) !== null || view.heldBack.service !== null) return [];
  const slots = taken(gate);
  const out = outNow(view, gate);
  const granted: Grant[] = [];
  let waiting: ReadonlyMap<string, readonly Candidate[]> | null = null;
  for (const deploy of view.deploys) {
    if (!grantsSlots(deploy.record) || halting.has(deploy.id) || isOverBudget(view, deploy)) continue;
    const { max, perZone } = allowedBy(deploy.record, () => baseNow(view));
    // Where as many hold slots as may be out, nobody is granted another, and it does not matter who waits.
    if (slots.size >= max) continue;
    waiting ??= waitingByDeploy(view);
    for (const { host, attempt } of inOrder(waiting.get(deploy.id) ?? [], deploy)) {
      if (slots.size >= max) break;
      const isOut = out.has(host) || view.status.get(host)?.health === "nothing";
      const wasOut = isOut && (out.has(host) ? out.size : out.size + 1) > max;
      // It would be taken back at once; its failure is told to be over first.
      if (wasOut && view.status.get(host)?.health === "healthy") continue;
      const counted = wasOut ? slots : out;
      if (!counted.has(host) && counted.size >= max) continue;
      const zone = view.hosts.get(host)?.zone;
      const isOfZone = perZone !== null && zone !== undefined && !counted.has(host);
      if (isOfZone && inZone(view, counted, zone) >= perZone(zone)) continue;
      slots.add(host);
      out.add(host);
      granted.push({ kind: "grant", host, slot: slotFor(view, deploy, host, attempt, wasOut) });
    }
  }
  return granted;
}

/** Whether the host has a slot, or something that may be one. */
function isTaken({ gate, hosts }: ConductedService, host: string): boolean {
  if (gate === null || gate.slots.has(host) || gate.holds.has(host) || gate.unreadable.slots.has(host)) return true;
  // A person waits for it to be held.
  return hosts.get(host)?.hold !== undefined;
}

function slotFor(
  { hosts, now }: ConductedService,
  { id, record, recordVersion }: ConductedDeploy,
  host: string,
  attempt: number,
  wasOut: boolean,
): Slot {
  const zone = hosts.get(host)?.zone;
  return {
    deploy: id,
    attempt,
    build: buildWanted(record),
    ...(zone === undefined ? {} : { zone }),
    since: now.toISOString(),
    record: recordVersion,
    ...(wasOut ? { wasOut } : {}),
  };
}

interface Candidate {
  readonly host: string;
  readonly attempt: number;
  /** When a deploy last changed what it serves; empty where none has. */
  readonly servedSince: string;
  readonly isCanary: boolean;
}

/**
 * By deploy, the hosts that are prepared and waiting. Many deploys are kept, so the hosts are looked at once and not for
 * each of them.
 */
function waitingByDeploy(view: ConductedService): ReadonlyMap<string, readonly Candidate[]> {
  const waiting = new Map<string, Candidate[]>();
  for (const [host, { role, zone }] of view.hosts) {
    const status = view.status.get(host);
    if (status?.step !== "ready" || status.begun || !view.alive.has(host) || view.leftOut.has(host)) continue;
    const target = targetFor({ host, role, zone }, view.wishes);
    if (target.kind !== "build") continue;
    if (status.wish?.deploy !== target.deploy || status.wish.build !== target.build) continue;
    if (isTaken(view, host) || view.heldBack.host(host) !== null) continue;
    // What has failed under this number is not tried again under it.
    const failed = view.gate?.failed.get(host);
    if (failed?.deploy === target.deploy && failed.attempt === status.attempt) continue;
    // A barred build goes to no host that does not have it; a host that has it may be kept in service.
    const mayBeBarred = view.barred.has(target.build) || view.unreadable.builds.has(target.build);
    if (mayBeBarred && status.build !== target.build) continue;
    const { attempt, servedSince = "" } = status;
    const candidate = { host, attempt, servedSince, isCanary: role === "canary" };
    const others = waiting.get(target.deploy);
    if (others === undefined) waiting.set(target.deploy, [candidate]);
    else others.push(candidate);
  }
  return waiting;
}

/** In the order in which they should go. */
function inOrder(candidates: readonly Candidate[], { record }: ConductedDeploy): Candidate[] {
  // On the way back, the host that changed last goes first, and the canary hosts, with which it began, last.
  const isBack = goesBack(record);
  return candidates.toSorted((a, b) => {
    if (a.isCanary !== b.isCanary) return a.isCanary !== isBack ? -1 : 1;
    if (isBack && a.servedSince !== b.servedSince) return a.servedSince < b.servedSince ? 1 : -1;
    return a.host < b.host ? -1 : 1;
  });
}

/** Whether more hosts have failed than the budget allows. */
export function isOverBudget(
  view: Pick<ConductedService, "hosts" | "status">,
  { record, out }: ConductedDeploy,
): boolean {
  const failures = countedFailures(out, buildWanted(record), record.round).length;
  return failures > 0 && failures > allowedBy(record, () => baseNow(view)).budget;
}
