import type { Slot } from "../schema/znodes.ts";
import { belongs, type ConductedDeploy, type ConductedService, type Unreadable } from "./conducted.ts";
import { buildWanted, goesBack, grantsSlots } from "./deploy_state.ts";
import { countedFailures, outOfService, type GateMove } from "./gate.ts";
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
  if (gate === null || grantsWithheld(view.unreadable, true) !== null) return [];
  const slots = new Set([...gate.slots.keys(), ...gate.unreadable.slots]);
  const out = new Set([...outOfService(gate)].filter((host) => slots.has(host) || belongs(view, host)));
  // A host that has begun says so, even where somebody has deleted its slot.
  for (const [host, { health, begun }] of view.status) if (health === "unhealthy" || begun) add(view, out, host);
  for (const host of view.unreadable.statuses) add(view, out, host);
  const granted: Grant[] = [];
  let waiting: ReadonlyMap<string, readonly Candidate[]> | null = null;
  for (const deploy of view.deploys) {
    if (!grantsSlots(deploy.record) || halting.has(deploy.id) || isOverBudget(deploy)) continue;
    const { max } = deploy.record.limits;
    // Where as many hold slots as may be out, nobody is granted another, and it does not matter who waits.
    if (slots.size >= max) continue;
    waiting ??= waitingByDeploy(view);
    for (const { host, attempt } of inOrder(waiting.get(deploy.id) ?? [], deploy)) {
      if (slots.size >= max) break;
      const isOut = out.has(host) || view.status.get(host)?.health === "nothing";
      const wasOut = isOut && (out.has(host) ? out.size : out.size + 1) > max;
      const counted = wasOut ? slots : out;
      if (!counted.has(host) && counted.size >= max) continue;
      slots.add(host);
      out.add(host);
      granted.push({ kind: "grant", host, slot: slotFor(view, deploy, host, attempt, wasOut) });
    }
  }
  return granted;
}

/** A host whose agent is gone is unreachable, not failed: it must not hold up the others. */
function add(view: ConductedService, out: Set<string>, host: string): void {
  if (belongs(view, host) && view.alive.has(host)) out.add(host);
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
  readonly since: string;
  readonly isCanary: boolean;
}

/**
 * By deploy, the hosts that are prepared and waiting. Many deploys are kept, so the hosts are looked at once and not for
 * each of them.
 */
function waitingByDeploy(view: ConductedService): ReadonlyMap<string, readonly Candidate[]> {
  const waiting = new Map<string, Candidate[]>();
  for (const [host, { role }] of view.hosts) {
    const status = view.status.get(host);
    if (status?.step !== "ready" || status.begun || !view.alive.has(host) || view.leftOut.has(host)) continue;
    const target = targetFor(role, view.wishes);
    if (target.kind !== "build") continue;
    if (status.wish?.deploy !== target.deploy || status.wish.build !== target.build) continue;
    if (view.gate?.slots.has(host) === true || view.gate?.unreadable.slots.has(host) === true) continue;
    // What has failed under this number is not tried again under it.
    const failed = view.gate?.failed.get(host);
    if (failed?.deploy === target.deploy && failed.attempt === status.attempt) continue;
    // A barred build goes to no host that does not have it; a host that has it may be kept in service.
    const mayBeBarred = view.barred.has(target.build) || view.unreadable.builds.has(target.build);
    if (mayBeBarred && status.build !== target.build) continue;
    const { attempt, since } = status;
    const candidate = { host, attempt, since, isCanary: role === "canary" };
    const others = waiting.get(target.deploy);
    if (others === undefined) waiting.set(target.deploy, [candidate]);
    else others.push(candidate);
  }
  return waiting;
}

/** In the order in which they should go. */
function inOrder(candidates: readonly Candidate[], { record }: ConductedDeploy): Candidate[] {
  // On the way back, the host that changed last goes first: its damage is the most recent.
  const newestFirst = goesBack(record);
  return candidates.toSorted((a, b) => {
    if (a.isCanary !== b.isCanary) return a.isCanary ? -1 : 1;
    if (newestFirst && a.since !== b.since) return a.since < b.since ? 1 : -1;
    return a.host < b.host ? -1 : 1;
  });
}

/** Whether more hosts have failed than the budget allows. */
export function isOverBudget({ record, out }: ConductedDeploy): boolean {
  return countedFailures(out, buildWanted(record), record.round).length > record.limits.budget;
}
