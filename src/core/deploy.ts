import type { DeployRecord, DeployState } from "../schema/deploy_record.ts";
import type { DeployCost } from "../schema/znodes.ts";
import { buildWanted, reasonOf } from "./deploy_state.ts";
import { DeployError } from "./errors.ts";

/*
 * Every change to a deploy's record. Each function takes the record as it stands and returns the one that follows. Fields
 * that it does not change are carried along, also those of a newer deployd.
 */

type DeployIn<S extends DeployState> = Extract<DeployRecord, { state: S }>;

/** Who decided something, and why. */
export interface Decision {
  readonly who: string;
  readonly why: string;
  readonly now: Date;
}

export type DeployPlan = Decision & Pick<DeployRecord, "build" | "previous" | "stages" | "limits">;

/** The states that each transition may begin in. */
const origins = {
  activating: ["preparing"],
  proven: ["canary"],
  promoted: ["awaiting promotion"],
  done: ["rolling"],
  "turned round": ["preparing", "canary", "awaiting promotion", "rolling", "done", "halted", "aborted"],
  "rolled back": ["rolling back"],
  halted: ["preparing", "canary", "awaiting promotion", "rolling", "rolling back"],
  aborted: ["preparing", "canary", "awaiting promotion", "rolling", "rolling back", "halted"],
} as const satisfies Readonly<Record<string, readonly DeployState[]>>;

type Transition = keyof typeof origins;

/** The record, narrowed to the states that the transition may begin in. Any other state is a mistake of the caller's. */
function origin<T extends Transition>(record: DeployRecord, transition: T): DeployIn<(typeof origins)[T][number]> {
  const legal: readonly DeployState[] = origins[transition];
  if (legal.includes(record.state)) return record as DeployIn<(typeof origins)[T][number]>;
  throw illegal(record, transition, `only one that is ${legal.join(", ")} can be`);
}

function illegal({ build, state }: DeployRecord, transition: Transition, why: string): DeployError {
  return new DeployError(`Cannot make the deploy of "${build}" ${transition}: it is ${state}; ${why}.`, {
    code: "internal",
    hint: "This is a mistake in deployd: please report it with what led to it.",
  });
}

export function started({ build, previous, who, why, stages, limits, now }: DeployPlan): DeployIn<"preparing"> {
  const time = now.toISOString();
  return {
    build,
    previous,
    who,
    why,
    stages,
    stage: stages[0] ?? "fleet",
    limits,
    round: 1,
    state: "preparing",
    times: { created: time, changed: time },
  };
}

/** The first host moves, or no host has to move. */
export function activating(record: DeployRecord, now: Date): DeployIn<"canary" | "rolling"> {
  const from = origin(record, "activating");
  const times = changed(from.times, now);
  return from.stage === "canary"
    ? { ...from, stage: "canary", state: "canary", times }
    : { ...from, stage: "fleet", state: "rolling", times };
}

/** Every canary host serves the build; a person has to decide. */
export function canaryProven(record: DeployRecord, now: Date): DeployIn<"awaiting promotion"> {
  const from = origin(record, "proven");
  return { ...from, state: "awaiting promotion", times: changed(from.times, now) };
}

/** A person takes it from the canary hosts to the fleet. */
export function promoted(record: DeployRecord, { who, why, now }: Decision): DeployIn<"rolling"> {
  const from = origin(record, "promoted");
  return {
    ...from,
    stage: "fleet",
    state: "rolling",
    promoted: { who, why, time: now.toISOString() },
    times: changed(from.times, now),
  };
}

/** Every host that can be reached serves the build, or has failed within the budget. */
export function done(record: DeployRecord, now: Date): DeployIn<"done"> {
  const from = origin(record, "done");
  return { ...from, state: "done", times: over(from.times, now) };
}

/** A person takes its hosts back to the build before it, whatever state the deploy has reached. */
export function turnedRound(record: DeployRecord, { who, why, now }: Decision): DeployIn<"rolling back"> {
  const from = origin(record, "turned round");
  const to = from.previous;
  if (to === null || to === from.build) throw illegal(record, "turned round", "it has no build to go back to");
  const { created, ended: _, ...others } = from.times;
  return {
    ...from,
    state: "rolling back",
    reason: why === "" ? reasonOf(record) : why,
    rollback: { who, why, time: now.toISOString(), from: from.state, to },
    times: changed({ ...others, created }, now),
    round: from.round + 1,
  };
}

/** Every host that can be reached serves the build before it. */
export function rolledBack(record: DeployRecord, now: Date): DeployIn<"rolled back"> {
  const from = origin(record, "rolled back");
  return { ...from, state: "rolled back", times: over(from.times, now) };
}

/** It grants nothing more until a person decides. */
export function halted(record: DeployRecord, reason: string, now: Date): DeployIn<"halted"> {
  const from = origin(record, "halted");
  return { ...from, state: "halted", reason, times: over(from.times, now) };
}

/** Something newer has taken over its hosts before it was done. */
export function aborted(record: DeployRecord, reason: string, now: Date): DeployIn<"aborted"> {
  const from = origin(record, "aborted");
  return { ...from, state: "aborted", reason, times: over(from.times, now) };
}

/** What the conductor does to a deploy, from what it sees of its hosts. */
export type DeployMove =
  | { readonly to: "activating" | "proven" }
  | { readonly to: "done" | "rolled back"; readonly cost: DeployCost | null }
  | { readonly to: "halted"; readonly reason: string }
  /** It has ended, and nobody is at work on it any more: what it cost is known. */
  | { readonly to: "costed"; readonly cost: DeployCost };

export function moved(record: DeployRecord, move: DeployMove, now: Date): DeployRecord {
  switch (move.to) {
    case "activating":
      return activating(record, now);
    case "proven":
      return canaryProven(record, now);
    case "done":
      return costed(done(record, now), move.cost);
    case "rolled back":
      return costed(rolledBack(record, now), move.cost);
    case "halted":
      return halted(record, move.reason, now);
    case "costed":
      return costed(record, move.cost);
  }
}

/** With what its restarts into the build that it wants have cost. */
function costed(record: DeployRecord, cost: DeployCost | null): DeployRecord {
  return cost === null ? record : { ...record, costs: { ...record.costs, [buildWanted(record)]: cost } };
}

type Times = RunningTimes & Record<string, unknown>;
interface RunningTimes {
  readonly created: string;
}

function changed(times: Times, now: Date) {
  return { ...times, changed: now.toISOString() };
}

function over(times: Times, now: Date) {
  return { ...changed(times, now), ended: now.toISOString() };
}
