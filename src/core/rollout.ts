import type { Failure } from "../schema/znodes.ts";
import type { ConductedDeploy, ConductedService } from "./conducted.ts";
import { legCost } from "./deploy_cost.ts";
import type { DeployMove } from "./deploy.ts";
import { buildWanted, isRunning } from "./deploy_state.ts";
import { countedFailures, gateAfter, noneOut, outByDeploy, type GateMove } from "./gate.ts";
import { grants, isOverBudget } from "./grants.ts";
import { progressOf, type Progress } from "./progress.ts";
import { slotMoves } from "./slot_moves.ts";

/** A move of one deploy from its state to the next. */
export interface DeployStep {
  readonly deploy: ConductedDeploy;
  readonly move: DeployMove;
}

/** What the conductor should do next with one service, in this order and against what was read. */
export interface Round {
  readonly moves: readonly GateMove[];
  readonly steps: readonly DeployStep[];
}

/**
 * What the conductor should do next. A pure function with no memory of its own, so that any agent can take over. Every
 * change is carried out by compare-and-set against what was read here, so two conductors at once waste work and do no
 * harm.
 */
export function conduct(view: ConductedService): Round {
  const settled = slotMoves(view);
  const after = viewAfter(view, settled);
  const steps = deploySteps(after);
  const halting = new Set(steps.flatMap(({ deploy, move }) => (move.to === "halted" ? [deploy.id] : [])));
  const granted = grants(after, halting);
  const moving = new Set(granted.map(({ slot }) => slot.deploy));
  const begins = after.deploys.filter(({ id, record }) => moving.has(id) && record.state === "preparing");
  // A host that is granted a slot now may have failed before: its deploy is not over while the host works on it.
  const due: DeployStep[] = steps.filter(
    ({ deploy, move }) => move.to === "activating" || move.to === "halted" || !moving.has(deploy.id),
  );
  const known = new Set(due.map(({ deploy }) => deploy.id));
  for (const deploy of begins) if (!known.has(deploy.id)) due.push({ deploy, move: { to: "activating" } });
  // A host begins only while the record is the one that its slot names: the one that this round makes of it.
  const changed = new Set(due.map(({ deploy }) => deploy.id));
  const moves = granted.map((grant): GateMove =>
    changed.has(grant.slot.deploy) ? { ...grant, slot: { ...grant.slot, record: grant.slot.record + 1 } } : grant,
  );
  return { moves: [...settled, ...moves], steps: due };
}

function viewAfter(view: ConductedService, moves: readonly GateMove[]): ConductedService {
  if (view.gate === null || moves.length === 0) return view;
  const gate = gateAfter(view.gate, moves);
  const out = outByDeploy(gate);
  return { ...view, gate, deploys: view.deploys.map((deploy) => ({ ...deploy, out: out.get(deploy.id) ?? noneOut })) };
}

function deploySteps(view: ConductedService): DeployStep[] {
  return view.deploys.flatMap((deploy): DeployStep[] => {
    const move = isRunning(deploy.record) ? nextState(view, deploy) : costToTell(view, deploy);
    return move === null ? [] : [{ deploy, move }];
  });
}

function nextState(view: ConductedService, deploy: ConductedDeploy): DeployMove | null {
  const { record } = deploy;
  if (isOverBudget(deploy)) return halt(whoUsedUpTheBudget(deploy));
  // Without the wishes nobody knows who is to serve what: a deploy would look as if it had no hosts.
  if (view.unreadable.wishes || view.gate === null) return null;
  const progress = progressOf(view, deploy);
  if (progress.hopeless) return halt("every host that could be reached failed");
  const barred = view.barred.get(buildWanted(record));
  if (barred !== undefined) return halt(barred);
  // A slot that cannot be read may be one of this deploy's: it is not over before that is known.
  if (view.gate.unreadable.slots.size > 0) return null;
  switch (record.state) {
    case "preparing":
      return progress.moving || progress.complete ? { to: "activating" } : null;
    case "canary":
      return progress.complete ? { to: "proven" } : null;
    case "awaiting promotion":
      return null;
    case "rolling":
      return progress.complete ? { to: "done", cost: legCost(view.status, deploy) } : null;
    case "rolling back":
      // Hosts whose role or status cannot be read do not count as hosts that have gone back.
      if (progress.hosts.length === 0 && view.unreadable.hosts.size > 0) return null;
      if (progress.hosts.some((host) => view.unreadable.statuses.has(host) && view.alive.has(host))) return null;
      return progress.complete && mayNobodyComeBack(view, progress)
        ? { to: "rolled back", cost: legCost(view.status, deploy) }
        : null;
    default:
      return null;
  }
}

function halt(reason: string): DeployMove {
  return { to: "halted", reason };
}

/** The failure that was one too many, by the hosts' own clocks. */
function whoUsedUpTheBudget({ record, out }: ConductedDeploy): string {
  const failures = countedFailures(out, buildWanted(record), record.round)
    .map((host) => ({ host, ...(out.failed[host] as Failure) }))
    .toSorted((a, b) => (a.since === b.since ? (a.host < b.host ? -1 : 1) : a.since < b.since ? -1 : 1));
  const last = failures[record.limits.budget] ?? failures.at(-1);
  return last === undefined ? "" : `${last.host}: ${last.reason}`;
}

/** A deploy that ended while hosts were still at work gets its cost once they are through. */
function costToTell(view: ConductedService, deploy: ConductedDeploy): DeployMove | null {
  const { record, out } = deploy;
  if (record.costs?.[buildWanted(record)] !== undefined || Object.keys(out.slots).length > 0) return null;
  if (progressOf(view, deploy).moving) return null;
  const cost = legCost(view.status, deploy);
  return cost === null ? null : { to: "costed", cost };
}

/**
 * Where no host serves the build before it, the agents may all be away for a moment only, as when ZooKeeper was down; so
 * each must have been missing for as long as a lost slot holder.
 */
function mayNobodyComeBack({ missingSince, nowMs, lostAfterMs }: ConductedService, progress: Progress): boolean {
  if (progress.serving.length > 0) return true;
  return progress.unreachable.every((host) => nowMs - (missingSince.get(host) ?? nowMs) >= lostAfterMs);
}
