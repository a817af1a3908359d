import type { Act, Base, DeployRecord, DeployState, FailureSummary, WayBack } from "../schema/deploy_record.ts";
import type { Reach } from "../schema/stages.ts";
import type { DeployCost } from "../schema/znodes.ts";
import {
  BY_ITSELF,
  buildWanted,
  goesBack,
  isInLastStage,
  isOnCanaries,
  reasonOf,
  type RunningDeploy,
} from "./deploy_state.ts";
import { changed, goingOn, over } from "./deploy_times.ts";
import { DeployError } from "./errors.ts";
import { noticed } from "./notices.ts";

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
  /** Why it is done although the service is frozen, or none of its windows is open. */
  readonly override?: string | undefined;
}

export type DeployPlan = Decision &
  Pick<DeployRecord, "build" | "previous" | "before" | "stages" | "limits" | "onHalt" | "reach" | "restarts"> & {
    /** Who is to be told what becomes of it. */
    readonly notify?: readonly string[] | undefined;
  };

/** The states that each transition may begin in. */
const origins = {
  activating: ["preparing"],
  "waiting for the next stage": ["canary", "rolling"],
  promoted: ["canary", "rolling", "awaiting promotion"],
  paused: ["preparing", "canary", "awaiting promotion", "rolling", "rolling back"],
  resumed: ["paused", "halted"],
  done: ["rolling"],
  "turned round": ["preparing", "canary", "awaiting promotion", "rolling", "paused", "done", "halted", "aborted"],
  "rolled back": ["rolling back"],
  halted: ["preparing", "canary", "awaiting promotion", "rolling", "rolling back"],
  aborted: ["preparing", "canary", "awaiting promotion", "rolling", "paused", "rolling back", "halted"],
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

export function started(plan: DeployPlan): DeployIn<"preparing"> {
  const { build, previous, before, who, why, stages, limits, onHalt, reach, notify = [], now } = plan;
  const override = plan.override === undefined ? {} : { override: plan.override };
  const time = now.toISOString();
  const record: DeployIn<"preparing"> = {
    build,
    previous,
    before,
    who,
    why,
    stages,
    stage: 0,
    ...(reach === undefined ? {} : { reach }),
    ...(plan.restarts === true ? { restarts: true } : {}),
    limits,
    onHalt,
    round: 1,
    again: 0,
    acts: [{ act: "started", who, why, time, ...override }],
    state: "preparing",
    times: { created: time, changed: time },
    ...(notify.length === 0 ? {} : { telling: { targets: [...notify], notices: [] } }),
  };
  return noticed(record, "started", { who, why });
}

/** The first host moves, or no host has to move. @param base how many hosts percentages are of from here on */
export function activating(record: DeployRecord, base: Base, now: Date): DeployIn<"canary" | "rolling"> {
  const from = origin(record, "activating");
  const next = { ...from, base: from.base ?? base, times: changed(from.times, now) };
  return isOnCanaries(from) ? { ...next, state: "canary" } : { ...next, state: "rolling" };
}

/** Every host of its stage serves the build; the next stage waits for a person, or for time to pass. */
export function stageProven(record: DeployRecord, now: Date): DeployIn<"awaiting promotion"> {
  const from = origin(record, "waiting for the next stage");
  return noticed({ ...from, state: "awaiting promotion", times: changed(from.times, now) }, "stage");
}

/** It comes to the next stage. @param by the person who takes it there; null where time, or nothing, had to pass */
export function promoted(
  record: DeployRecord,
  reach: Reach,
  by: Omit<Decision, "now"> | null,
  now: Date,
): DeployIn<"rolling"> {
  const from = origin(record, "promoted");
  if (isInLastStage(from)) throw illegal(record, "promoted", "it is in its last stage");
  const times = changed(from.times, now);
  // A stage after which nothing is waited for is reached and left in one.
  const isReached = by === null && from.state !== "awaiting promotion";
  const left = isReached ? noticed({ ...from, times }, "stage") : from;
  const next: DeployIn<"rolling"> = {
    ...(by === null ? left : acted(left, "promoted", { ...by, now })),
    stage: from.stage + 1,
    reach,
    state: "rolling",
    times,
  };
  return noticed(next, "promoted", by ?? {});
}

/** A person stops it where it is: nobody begins until it is resumed. */
export function paused(record: DeployRecord, by: Decision): DeployIn<"paused"> {
  const from = origin(record, "paused");
  const rollback = from.state === "rolling back" ? { rollback: from.rollback } : {};
  const next: DeployIn<"paused"> = {
    ...acted(from, "paused", by),
    ...rollback,
    state: "paused",
    from: from.state,
    reason: by.why === "" ? `paused by ${by.who}` : `paused by ${by.who}: ${by.why}`,
    times: changed(from.times, by.now),
  };
  return noticed(next, "paused", by);
}

/** A person lets it go on where it stopped, with a budget of its own for what fails from now on. */
export function resumed(record: DeployRecord, by: Decision): RunningDeploy {
  const next = { ...acted(origin(record, "resumed"), "resumed", by), round: record.round + 1 };
  return noticed(goneOn(next, by.now), "resumed", by);
}

/** A person has the hosts that failed try once more, in whatever state it is; one that stands still goes on. */
export function retried(record: DeployRecord, by: Decision): DeployRecord {
  const next = { ...acted(record, "retried", by), round: record.round + 1, again: record.again + 1 };
  const stands = next.state === "paused" || next.state === "halted";
  return noticed(stands ? goneOn(next, by.now) : told(next, by.now), "retried", by);
}

/** From where it stopped. */
function goneOn(stopped: DeployIn<"paused" | "halted">, now: Date): RunningDeploy {
  const { from, reason: _reason, rollback, state: _, times, ...facts } = stopped;
  const next = { ...facts, times: goingOn(times, now) };
  if (from !== "rolling back") return { ...next, state: from };
  if (rollback === undefined) throw illegal(stopped, "resumed", "it does not say where it goes back to");
  // Why it was stopped in between is no reason any more.
  return { ...next, state: from, reason: rollback.why, rollback };
}

/** Every host that can be reached serves the build, or has failed within the budget. */
export function done(record: DeployRecord, now: Date): DeployIn<"done"> {
  const from = origin(record, "done");
  return noticed({ ...from, state: "done", times: over(from.times, now) }, "done");
}

/** A person takes its hosts back to the build before it, whatever state the deploy has reached. */
export function turnedRound(record: DeployRecord, { who, why, now }: Decision): DeployIn<"rolling back"> {
  const from = origin(record, "turned round");
  const to = from.previous;
  if (to === null || to === from.build) throw illegal(record, "turned round", "it has no build to go back to");
  const reason = why === "" ? reasonOf(record) : why;
  const next: DeployIn<"rolling back"> = {
    ...acted(from, "turned round", { who, why, now }),
    state: "rolling back",
    reason,
    rollback: { who, why, time: now.toISOString(), from: from.state, to },
    times: goingOn(from.times, now),
    round: from.round + 1,
    // Whoever asks for a way back that had halted once more has its hosts try once more.
    again: goesBack(record) ? from.again + 1 : from.again,
  };
  return noticed(next, "rolling-back", { who, why: reason });
}

/** Every host that can be reached serves the build before it. */
export function rolledBack(record: DeployRecord, now: Date): DeployIn<"rolled back"> {
  const from = origin(record, "rolled back");
  return noticed({ ...from, state: "rolled back", times: over(from.times, now) }, "rolled-back");
}

/** It grants nothing more until a person decides. */
export function halted(record: DeployRecord, reason: string, now: Date): DeployIn<"halted"> {
  const from = origin(record, "halted");
  const rollback = from.state === "rolling back" ? { rollback: from.rollback } : {};
  const times = over(from.times, now);
  const next: DeployIn<"halted"> = { ...from, ...rollback, state: "halted", from: from.state, reason, times };
  return noticed(next, "halted", { why: reason });
}

/** Something newer has taken over its hosts before it was done, or a person has ended it. */
export function aborted(
  record: DeployRecord,
  reason: string,
  now: Date,
  by: Omit<Decision, "now"> | null = null,
): DeployIn<"aborted"> {
  const from = origin(record, "aborted");
  const rollback = "rollback" in from && from.rollback !== undefined ? { rollback: from.rollback as WayBack } : {};
  const ended = by === null ? from : acted(from, "aborted", { ...by, now });
  const next: DeployIn<"aborted"> = { ...ended, ...rollback, state: "aborted", reason, times: over(from.times, now) };
  return noticed(next, "aborted", { ...(by === null ? {} : { who: by.who }), why: reason });
}

/** How many acts of people a record keeps: the first, which started it, and the last ones. */
const KEPT_ACTS = 50;

function acted<R extends DeployRecord>(record: R, act: Act["act"], { who, why, now, override }: Decision): R {
  const done: Act = { act, who, why, time: now.toISOString(), ...(override === undefined ? {} : { override }) };
  const [first, ...others] = [...record.acts, done];
  return { ...record, acts: first === undefined ? [] : [first, ...others.slice(-(KEPT_ACTS - 1))] };
}

/** What the conductor does to a deploy, from what it sees of its hosts. */
export type DeployMove =
  | { readonly to: "activating"; readonly base: Base }
  | { readonly to: "proven" }
  | { readonly to: "next stage"; readonly reach: Reach }
  | { readonly to: "done" | "rolled back"; readonly cost: DeployCost | null; readonly failures?: FailureSummary }
  | { readonly to: "halted"; readonly reason: string; readonly failures?: FailureSummary }
  /** It is rolled back by itself, since its service is set to do that with a deploy that would halt. */
  | {
      readonly to: "turned round";
      readonly reason: string;
      readonly cost: DeployCost | null;
      readonly failures?: FailureSummary;
    }
  /** It has ended, and nobody is at work on it any more: what it cost, and what failed after its end, is known. */
  | { readonly to: "costed"; readonly cost: DeployCost | null; readonly failures?: FailureSummary };

export function moved(record: DeployRecord, move: DeployMove, now: Date): DeployRecord {
  switch (move.to) {
    case "activating":
      return activating(record, move.base, now);
    case "proven":
      return stageProven(record, now);
    case "next stage":
      return promoted(record, move.reach, null, now);
    case "done":
      return costed(done(record, now), move.cost, move.failures);
    case "rolled back":
      return costed(rolledBack(record, now), move.cost, move.failures);
    case "halted":
      return costed(halted(record, move.reason, now), null, move.failures);
    case "turned round":
      return turnedRound(costed(record, move.cost, move.failures), { who: BY_ITSELF, why: move.reason, now });
    case "costed":
      return told(costed(record, move.cost, move.failures), now);
  }
}

/** With what its restarts into the build that it wants have cost, and what has failed on that build. */
export function costed(
  record: DeployRecord,
  cost: DeployCost | null,
  failures: FailureSummary | null = null,
): DeployRecord {
  const wanted = buildWanted(record);
  return {
    ...record,
    ...(cost === null ? {} : { costs: { ...record.costs, [wanted]: cost } }),
    ...(failures === null ? {} : { failures: { ...record.failures, [wanted]: failures } }),
  };
}

/** It was written again, and is in the state that it was in; where it has ended, its end stays what it was. */
function told(record: DeployRecord, now: Date): DeployRecord {
  return { ...record, times: changed(record.times, now) } as DeployRecord;
}
