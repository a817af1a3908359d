import type { DeployRecord } from "../schema/deploy_record.ts";
import type { ConductedDeploy, ConductedService } from "./conducted.ts";
import { legCost } from "./deploy_cost.ts";
import type { DeployMove } from "./deploy.ts";
import { buildWanted, isInLastStage, isRunning } from "./deploy_state.ts";
import { countedFailures, gateAfter, inOrderOfFailing, noneOut, outByDeploy, type GateMove } from "./gate.ts";
import { legFailures, newFailures } from "./failure_summary.ts";
import { durationText } from "./duration.ts";
import { grants, isOverBudget } from "./grants.ts";
import { holds } from "./holds.ts";
import { allowedBy, baseNow } from "./limit_base.ts";
import { progressMsOf } from "./limits.ts";
import { progressOf, type Progress } from "./progress.ts";
import { slotMoves } from "./slot_moves.ts";
import { reachAfter } from "./stages.ts";

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
  const freed = slotMoves(view);
  const settled = [...freed, ...holds(viewAfter(view, freed))];
  const after = viewAfter(view, settled);
  const steps = deploySteps(after);
  const halting = new Set(steps.flatMap(({ deploy, move }) => (isStop(move) ? [deploy.id] : [])));
  const granted = grants(after, halting);
  const moving = new Set(granted.map(({ slot }) => slot.deploy));
  const begins = after.deploys.filter(({ id, record }) => moving.has(id) && record.state === "preparing");
  // A host that is granted a slot now may have failed before: its deploy is not over while the host works on it.
  const due: DeployStep[] = steps.filter(
    ({ deploy, move }) => move.to === "activating" || isStop(move) || !moving.has(deploy.id),
  );
  const known = new Set(due.map(({ deploy }) => deploy.id));
  for (const deploy of begins)
    if (!known.has(deploy.id)) due.push({ deploy, move: { to: "activating", base: baseNow(after) } });
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

/** Nobody is granted a slot for what the deploy was to do until now. */
export function isStop({ to }: DeployMove): boolean {
  return to === "halted" || to === "turned round";
}

function nextState(view: ConductedService, deploy: ConductedDeploy): DeployMove | null {
  const { record } = deploy;
  if (record.state === "paused") return null;
  if (isOverBudget(view, deploy)) return halt(view, deploy, whoUsedUpTheBudget(view, deploy));
  // Without the wishes nobody knows who is to serve what: a deploy would look as if it had no hosts.
  if (view.unreadable.wishes || view.gate === null) return null;
  const progress = progressOf(view, deploy);
  if (progress.hopeless) return halt(view, deploy, "every host that could be reached failed");
  const barred = view.barred.get(buildWanted(record));
  if (barred !== undefined) return halt(view, deploy, barred);
  if (isStuck(view, deploy)) return halt(view, deploy, stuckText(record));
  // A slot that cannot be read may be one of this deploy's: it is not over before that is known.
  if (view.gate.unreadable.slots.size > 0) return null;
  switch (record.state) {
    case "preparing":
      return progress.moving || progress.complete ? { to: "activating", base: baseNow(view) } : null;
    case "canary":
    case "rolling":
      return progress.complete ? stageOver(view, deploy) : null;
    case "awaiting promotion":
      return isWaitOver(view, deploy) ? nextStage(view, deploy) : null;
    case "rolling back":
      // Hosts whose role or status cannot be read do not count as hosts that have gone back.
      if (progress.hosts.length === 0 && view.unreadable.hosts.size > 0) return null;
      if (progress.hosts.some((host) => view.unreadable.statuses.has(host) && view.alive.has(host))) return null;
      return progress.complete && mayNobodyComeBack(view, progress)
        ? { to: "rolled back", ...legTold(view, deploy) }
        : null;
    default:
      return null;
  }
}

/** The hosts of its stage serve it. */
function stageOver(view: ConductedService, deploy: ConductedDeploy): DeployMove {
  const { record } = deploy;
  if (isInLastStage(record)) return { to: "done", ...legTold(view, deploy) };
  return record.stages[record.stage]?.wait === 0 ? nextStage(view, deploy) : { to: "proven" };
}

function nextStage(view: ConductedService, { id, record }: ConductedDeploy): DeployMove {
  return { to: "next stage", reach: reachAfter(record.stages, record.stage + 1, id, view.hosts, record.reach) };
}

/** A stage that waits for a time has waited it since the record said so. */
function isWaitOver({ serverNowMs }: ConductedService, { record, writtenAtMs }: ConductedDeploy): boolean {
  const wait = record.stages[record.stage]?.wait;
  return typeof wait === "number" && serverNowMs !== null && serverNowMs - writtenAtMs >= wait;
}

/** Nothing has moved in it for longer than it may stand still. One that waits for a person, or for time, does not. */
function isStuck({ still, heldBack }: ConductedService, { id, record }: ConductedDeploy): boolean {
  // One that waits for another service stands still as its rules say.
  if (heldBack.service !== null) return false;
  return record.state !== "awaiting promotion" && still?.deploy === id && still.forMs >= progressMsOf(record.limits);
}

function stuckText({ limits }: DeployRecord): string {
  return `no host has moved for ${durationText(progressMsOf(limits))}`;
}

/** What a deploy does that may not go on: a person decides, unless its service says that it is taken back. */
function halt(view: ConductedService, deploy: ConductedDeploy, reason: string): DeployMove {
  const { record } = deploy;
  const { previous, build, onHalt, state } = record;
  const isThere = previous !== null && previous !== build && view.builds.has(previous) && !view.barred.has(previous);
  // The way back is wished where the wish is that cannot be read.
  const mayGoBack = isThere && !view.unreadable.wishes && view.gate !== null;
  const told = legTold(view, deploy);
  if (onHalt !== "rollback" || state === "rolling back" || !mayGoBack) {
    const { failures } = told;
    return { to: "halted", reason, ...(failures === undefined ? {} : { failures }) };
  }
  return { to: "turned round", reason, ...told };
}

/** The failure that was one too many, by the hosts' own clocks. */
function whoUsedUpTheBudget(view: ConductedService, { record, out }: ConductedDeploy): string {
  const failures = inOrderOfFailing(out, countedFailures(out, buildWanted(record), record.round));
  const last = failures[allowedBy(record, () => baseNow(view)).budget] ?? failures.at(-1);
  return last === undefined ? "" : `${last.host}: ${last.failure.reason}`;
}

/** What the way to the build that it wants has cost, and what has failed on it. */
function legTold(view: ConductedService, deploy: ConductedDeploy) {
  const failures = legFailures(deploy);
  return { cost: legCost(view.status, deploy), ...(failures === null ? {} : { failures }) };
}

/** A deploy that ended while hosts were still at work gets its cost, and what failed since, once they are through. */
function costToTell(view: ConductedService, deploy: ConductedDeploy): DeployMove | null {
  const { record, out } = deploy;
  if (Object.keys(out.slots).length > 0 || progressOf(view, deploy).moving) return null;
  const cost = record.costs?.[buildWanted(record)] === undefined ? legCost(view.status, deploy) : null;
  const failures = newFailures(deploy);
  if (cost === null && failures === null) return null;
  return { to: "costed", cost, ...(failures === null ? {} : { failures }) };
}

/**
 * Where no host serves the build before it, the agents may all be away for a moment only, as when ZooKeeper was down; so
 * each must have been missing for as long as a lost slot holder.
 */
function mayNobodyComeBack({ missingSince, nowMs, lostAfterMs }: ConductedService, progress: Progress): boolean {
  if (progress.serving.length > 0) return true;
  return progress.unreachable.every((host) => nowMs - (missingSince.get(host) ?? nowMs) >= lostAfterMs);
}
