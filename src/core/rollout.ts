import type { DeployRecord } from "../schema/deploy_record.ts";
import type { Gate, HostRecord, HostStatus } from "../schema/znodes.ts";
import type { DeployMove } from "./deploy.ts";
import { buildWanted, goesBack, grantsSlots, isRunning } from "./deploy_state.ts";
import { countedFailures, failuresOf, outOfService } from "./gate.ts";
import { targetFor, type Wishes } from "./targets.ts";

export interface ConductedDeploy {
  readonly id: string;
  readonly record: DeployRecord;
  readonly gate: Gate;
}

/** Records that exist and cannot be read. Since nobody knows what they say, the worst is assumed. */
export interface Unreadable {
  /** The record of what the hosts are to serve. */
  readonly wishes: boolean;
  /** Deploys whose record or gate cannot be read: any number of hosts may be out of service because of them. */
  readonly deploys: ReadonlySet<string>;
  /** Hosts whose role cannot be read: they belong to the service, but to which part of it is not known. */
  readonly hosts: ReadonlySet<string>;
  /** Hosts whose status cannot be read: they may be out of service. */
  readonly statuses: ReadonlySet<string>;
  /** Builds whose record cannot be read: they may be barred. */
  readonly builds: ReadonlySet<string>;
}

/** What the conductor has read of one service. */
export interface ConductedService {
  readonly wishes: Wishes;
  readonly deploys: readonly ConductedDeploy[];
  readonly hosts: ReadonlyMap<string, HostRecord>;
  readonly status: ReadonlyMap<string, HostStatus>;
  readonly unreadable: Unreadable;
  /** Builds that are barred; the value says by whom and why. */
  readonly barred: ReadonlyMap<string, string>;
  /** Hosts whose agent is connected. */
  readonly alive: ReadonlySet<string>;
  /** For hosts that are not alive: since when the conductor has missed them, in epoch milliseconds. */
  readonly missingSince: ReadonlyMap<string, number>;
  readonly nowMs: number;
  /** How long a slot holder may be missing before it counts as lost: twice the session timeout. */
  readonly lostAfterMs: number;
}

export type RolloutAction =
  | {
      readonly kind: "grant";
      readonly deploy: string;
      readonly host: string;
      readonly attempt: number;
      /** The slot is beyond max, since the host is out of service already. */
      readonly wasOut: boolean;
    }
  /** A slot holder is missing: its slot becomes a failure, never a free slot. */
  | { readonly kind: "lose"; readonly deploy: string; readonly host: string }
  /** The host has taken up a newer wish without using this slot, or never asked for it. */
  | { readonly kind: "reclaim"; readonly deploy: string; readonly host: string }
  /** A host that failed serves again and is healthy: it gives its capacity back. */
  | { readonly kind: "heal"; readonly deploy: string; readonly host: string }
  | ({ readonly kind: "move"; readonly deploy: string } & DeployMove);

/**
 * What the conductor should do next. A pure function with no memory of its own, so that any agent can take over. Every
 * action is carried out by compare-and-set against what was read here, so two conductors at once waste work and do no
 * harm.
 */
export function conduct(view: ConductedService): RolloutAction[] {
  const given = grants(view);
  // A host that is granted a slot now may have failed before: its deploy is not over while the host works on it.
  const isDue = (action: RolloutAction): boolean =>
    action.kind !== "move" || action.to === "activating" || !given.some(({ deploy }) => deploy === action.deploy);
  return [...view.deploys.flatMap((deploy) => slotRepairs(view, deploy)), ...given, ...moves(view).filter(isDue)];
}

/** Why no host of the service is granted a slot, whoever waits; null where nothing forbids slots altogether. */
export function grantsWithheld(unreadable: Pick<Unreadable, "wishes" | "deploys">): string | null {
  if (unreadable.wishes) return "no slot is granted while the wish cannot be read";
  const deploys = [...unreadable.deploys].toSorted();
  if (deploys.length === 0) return null;
  const which = `${deploys.length === 1 ? "deploy" : "deploys"} ${deploys.join(", ")}`;
  return `no slot is granted while ${which} cannot be read: any number of hosts may be out of service because of it`;
}

function slotRepairs(view: ConductedService, deploy: ConductedDeploy): RolloutAction[] {
  const actions: RolloutAction[] = [];
  for (const [host, slot] of Object.entries(deploy.gate.slots)) {
    const status = view.status.get(host);
    const missingSince = view.missingSince.get(host);
    if (!view.alive.has(host)) {
      if (missingSince === undefined || view.nowMs - missingSince < view.lostAfterMs) continue;
      actions.push({ kind: "lose", deploy: deploy.id, host });
    } else if (status !== undefined && status.attempt !== slot.attempt) {
      // A host's status says for which attempt it waits, and that number only grows. A higher one than the slot's is for
      // a newer wish; a lower one shows that somebody else asked for the slot.
      actions.push({ kind: "reclaim", deploy: deploy.id, host });
    }
  }
  for (const [host, failure] of Object.entries(deploy.gate.failed)) {
    const status = view.status.get(host);
    if (failure.healthy || !view.alive.has(host) || status?.health !== "healthy") continue;
    // The stale status of a lost host is neither: a slot holder's status is never "serving" before its slot is gone.
    const settled = status.step === "serving" || status.step === "failed";
    const isLater = failure.attempt !== undefined && status.attempt > failure.attempt;
    if (settled || isLater) actions.push({ kind: "heal", deploy: deploy.id, host });
  }
  return actions;
}

/** Hosts that are prepared and waiting, in the order in which they should go. */
function candidates(view: ConductedService, deploy: ConductedDeploy): { host: string; attempt: number }[] {
  const waiting = [...view.hosts].flatMap(([host, record]) => {
    const status = view.status.get(host);
    if (status?.step !== "ready" || !view.alive.has(host)) return [];
    const target = targetFor(record.role, view.wishes);
    if (target.kind !== "build" || target.deploy !== deploy.id) return [];
    if (status.wish?.deploy !== deploy.id || status.wish.build !== target.build) return [];
    if (deploy.gate.slots[host] !== undefined) return [];
    // A barred build goes to no host that does not have it; a host that has it may be kept in service.
    const mayBeBarred = view.barred.has(target.build) || view.unreadable.builds.has(target.build);
    if (mayBeBarred && status.build !== target.build) return [];
    return [{ host, attempt: status.attempt, canary: record.role === "canary", since: status.since }];
  });
  // On the way back, the host that changed last goes first: its damage is the most recent.
  const newestFirst = goesBack(deploy.record);
  return waiting.toSorted((a, b) => {
    if (a.canary !== b.canary) return a.canary ? -1 : 1;
    if (newestFirst && a.since !== b.since) return a.since < b.since ? 1 : -1;
    return a.host < b.host ? -1 : 1;
  });
}

/**
 * Grants at most `max` hosts out of service. A host that is out already, because it is unhealthy or serves nothing yet,
 * takes no capacity from the fleet when it is granted a slot: otherwise a fleet of which every host is unhealthy could
 * never be given the build that repairs it (docs/adr/0004).
 */
function grants(view: ConductedService): RolloutAction[] {
  if (grantsWithheld(view.unreadable) !== null) return [];
  const belongs = (host: string): boolean => view.hosts.has(host) || view.unreadable.hosts.has(host);
  const slots = new Set(view.deploys.flatMap(({ gate }) => Object.keys(gate.slots)));
  const failed = view.deploys.flatMap(({ gate }) => outOfService(gate)).filter(belongs);
  const out = new Set([...slots, ...failed]);
  const ill = [...view.status].filter(([, { health }]) => health === "unhealthy").map(([host]) => host);
  for (const host of [...ill, ...view.unreadable.statuses]) {
    // A host whose agent is gone is unreachable, not failed: it must not hold up the others.
    if (belongs(host) && view.alive.has(host)) out.add(host);
  }
  const actions: RolloutAction[] = [];
  for (const deploy of view.deploys) {
    if (!grantsSlots(deploy.record) || overBudget(deploy)) continue;
    for (const { host, attempt } of candidates(view, deploy)) {
      const isOut = out.has(host) || view.status.get(host)?.health === "nothing";
      const { max } = deploy.record.limits;
      const wasOut = isOut && new Set([...out, host]).size > max;
      const after = new Set([...(wasOut ? slots : out), host]);
      if (after.size > max) continue;
      slots.add(host);
      out.add(host);
      actions.push({ kind: "grant", deploy: deploy.id, host, attempt, wasOut });
    }
  }
  return actions;
}

/** A deploy can be done while hosts were unreachable; when those fail later, it is not halted any more. */
function overBudget({ record, gate }: ConductedDeploy): boolean {
  return countedFailures(gate, buildWanted(record)).length > record.limits.budget;
}

function moves(view: ConductedService): RolloutAction[] {
  // Without the wishes nobody knows who is to serve what: a deploy would look as if it had no hosts.
  if (view.unreadable.wishes) return [];
  return view.deploys.flatMap((deploy): RolloutAction[] => {
    const { record } = deploy;
    if (!isRunning(record)) return [];
    const progress = progressOf(view, deploy);
    const move = (to: Exclude<DeployMove["to"], "halted">): RolloutAction[] => [
      { kind: "move", deploy: deploy.id, to },
    ];
    if (progress.hopeless) {
      return [{ kind: "move", deploy: deploy.id, to: "halted", reason: "every host that could be reached failed" }];
    }
    const barred = view.barred.get(buildWanted(record));
    if (barred !== undefined) return [{ kind: "move", deploy: deploy.id, to: "halted", reason: barred }];
    switch (record.state) {
      case "preparing":
        return progress.moving || progress.complete ? move("activating") : [];
      case "canary":
        return progress.complete ? move("proven") : [];
      case "awaiting promotion":
        return [];
      case "rolling":
        return progress.complete ? move("done") : [];
      case "rolling back":
        // Hosts whose role or status cannot be read do not count as hosts that have gone back.
        if (progress.hosts.length === 0 && view.unreadable.hosts.size > 0) return [];
        if (progress.hosts.some((host) => view.unreadable.statuses.has(host) && view.alive.has(host))) return [];
        return progress.complete && mayNobodyComeBack(view, progress) ? move("rolled back") : [];
    }
  });
}

/**
 * Where no host serves the build before it, the agents may all be away for a moment only, as when ZooKeeper was down; so
 * each must have been missing for as long as a lost slot holder.
 */
function mayNobodyComeBack({ missingSince, nowMs, lostAfterMs }: ConductedService, progress: Progress): boolean {
  if (progress.serving.length > 0) return true;
  return progress.unreachable.every((host) => nowMs - (missingSince.get(host) ?? nowMs) >= lostAfterMs);
}

export interface Progress {
  /** Hosts that should serve the deploy's build. */
  readonly hosts: readonly string[];
  readonly serving: readonly string[];
  readonly failed: readonly string[];
  readonly unreachable: readonly string[];
  /** Some host has left PREPARE. */
  readonly moving: boolean;
  /**
   * Every reachable host serves it or has failed within the budget, and at least one serves it. A way back is complete
   * when no reachable host is left that the deploy has touched: a host that never had its build has nothing to go back
   * from.
   */
  readonly complete: boolean;
  /** Nothing moves any more, and no host serves it. */
  readonly hopeless: boolean;
}

/** How far a deploy has come, from what the hosts say of themselves. */
export function progressOf(
  view: Pick<ConductedService, "wishes" | "hosts" | "status" | "alive">,
  { id, record, gate }: ConductedDeploy,
): Progress {
  const wanted = buildWanted(record);
  const hosts = [...view.hosts].flatMap(([host, { role }]) => {
    const target = targetFor(role, view.wishes);
    return target.kind === "build" && target.deploy === id ? [host] : [];
  });
  const failures = new Set(failuresOf(gate, wanted));
  const serving: string[] = [];
  const failed: string[] = [];
  const unreachable: string[] = [];
  for (const host of hosts) {
    const status = view.status.get(host);
    if (failures.has(host)) failed.push(host);
    else if (!view.alive.has(host)) unreachable.push(host);
    else if (status?.step === "serving" && status.build === wanted && status.wish?.deploy === id) serving.push(host);
  }
  const moving = Object.keys(gate.slots).length > 0;
  const isBack = goesBack(record);
  const over = new Set([...serving, ...failed, ...unreachable]);
  const left = hosts.filter((host) => !over.has(host));
  const settled = (isBack ? left.filter((host) => isTouched(host, view, { record, gate })) : left).length === 0;
  const complete = settled && !moving && (serving.length > 0 || isBack);
  const hopeless = settled && !moving && serving.length === 0 && failed.length > 0;
  return { hosts, serving, failed, unreachable, moving, complete, hopeless };
}

/**
 * The host serves the deploy's build, or the deploy left it unhealthy, so that what it served before does not run there.
 */
function isTouched(
  host: string,
  { status }: Pick<ConductedService, "status">,
  { record, gate }: Pick<ConductedDeploy, "record" | "gate">,
): boolean {
  const failure = gate.failed[host];
  return status.get(host)?.build === record.build || (failure?.build === record.build && !failure.healthy);
}
