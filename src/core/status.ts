import { hostStepSchema, type HostStatus, type HostStep } from "../schema/znodes.ts";
import type { Actual } from "./situation.ts";
import { followedBy, lastAttempt } from "./journal_former.ts";
import { highestOf } from "./wish_order.ts";
import type { ActivationPhase, Journal, StepFailure } from "../schema/journal.ts";
import type { Target } from "./targets.ts";

/** A failure that is being retried, so that it is not in the journal. */
export interface Trouble {
  readonly build: string;
  readonly failure: StepFailure;
  /** Until when it is retried, by the host's wall clock; missing where there is no such end. */
  readonly untilMs?: number;
}

export interface StatusFacts {
  readonly target: Target;
  /** A wish that is not followed because it is older than one that was. */
  readonly held: NonNullable<HostStatus["held"]> | null;
  readonly journal: Journal;
  readonly actual: Actual | null;
  readonly step: HostStep;
  readonly sinceMs: number;
  /** What the last probes said; null before the first. */
  readonly healthy: boolean | null;
  readonly trouble: Trouble | null;
  /** Why the host cannot leave, where it is to; "" where it can. */
  readonly notLeaving: string;
  /** What became of the build that the host is to have ready; null where there is none. */
  readonly prepared: HostStatus["prepared"] | null;
}

/** What a host reports in ZooKeeper about itself for one service. */
export function hostStatus(facts: StatusFacts): HostStatus {
  const { target, journal, actual } = facts;
  const { activation } = journal;
  const wish = target.kind === "build" ? { build: target.build, deploy: target.deploy } : null;
  const told = failureToTell(facts);
  return {
    build: servedBuildOf(actual),
    health: healthOf(facts),
    wish,
    ...(journal.followed === undefined && journal.former === undefined
      ? {}
      : { followed: highestOf(followedBy(journal)) }),
    ...(facts.held === null ? {} : { held: facts.held }),
    ...(facts.prepared === null || facts.prepared === undefined ? {} : { prepared: facts.prepared }),
    step: facts.step,
    ...(journal.leaving === undefined && facts.notLeaving === ""
      ? {}
      : { leaving: { phase: journal.leaving?.phase ?? "refused", problem: facts.notLeaving } }),
    rollingBack: activation !== null && isWayBack(activation.phase),
    attempt: lastAttempt(journal),
    begun: activation !== null || journal.leaving !== undefined,
    ...(journal.served === undefined ? {} : { servedSince: new Date(journal.served.atMs).toISOString() }),
    failure: lastFailure(journal),
    since: new Date(facts.sinceMs).toISOString(),
    error:
      told === null
        ? null
        : {
            code: told.failure.code,
            message: told.failure.message,
            hint: told.failure.hint,
            build: told.build,
            step: knownStep(told.failure.step),
            ...(told.untilMs === undefined ? {} : { until: new Date(told.untilMs).toISOString() }),
          },
    log: told?.failure.log ?? "",
    restart: restartToTell(journal),
  };
}

/** What a failure says at most, in characters: the error beside it says all. */
const REASON_CHARS = 600;

/**
 * The last failure of the host, from the moment at which it is known: a bad build must not go on to other hosts while
 * this one goes back.
 */
function lastFailure(journal: Journal): HostStatus["failure"] {
  const { activation, failed, former } = journal;
  if (activation !== null && isWayBack(activation.phase)) {
    const { deploy, build, attempt, phase } = activation;
    const again = journal.attempt?.again ?? 0;
    return told({ deploy, build, attempt, again, healthy: false, failure: phase.failure });
  }
  const lost = former?.lost ?? null;
  if (lost === null || lost.attempt < (failed?.attempt ?? 0)) return failed === null ? null : told(failed);
  const { deploy, build, attempt, atMs } = lost;
  // It is tried again, whatever came of it: how often the deploy had been tried by then is not known any more.
  const how = { deploy, build, attempt, again: 0, healthy: false };
  return { ...how, reason: FORGOTTEN, since: new Date(atMs).toISOString() };
}

/** A failure that the host itself knows nothing of. */
const FORGOTTEN = "it lost its disk, or an older one was put back, while it held a slot";

function told({ deploy, build, attempt, again = 0, healthy, failure }: NonNullable<Journal["failed"]>) {
  const reason = failure.message.slice(0, REASON_CHARS);
  return { deploy, build, attempt, again, healthy, reason, since: new Date(failure.atMs).toISOString() };
}

/** The restart of the activation under way, where it has restarted anything; else the last one. */
function restartToTell({ activation, lastRestart }: Journal): HostStatus["restart"] {
  const told =
    activation === null || activation.counts.instances === 0
      ? lastRestart
      : { ...activation.counts, build: activation.build, deploy: activation.deploy };
  if (told === null) return null;
  // Fields are copied one by one: those that a newer agent left in the journal are not this agent's to report.
  const { build, deploy, instances, closed, refused, forced, phaseMs } = told;
  return { build, deploy, instances, closed, refused, forced: [...forced], phaseMs: { ...phaseMs } };
}

/**
 * The journal keeps a step that only a newer agent knows, under its own name; other programs are only told that something
 * failed.
 */
function knownStep(step: StepFailure["step"]): HostStep {
  const known = hostStepSchema.safeParse(step);
  return known.success ? known.data : "failed";
}

function isWayBack(phase: ActivationPhase): phase is Extract<ActivationPhase, { failure: StepFailure }> {
  return phase.kind === "back" || phase.kind === "stuck";
}

function servedBuildOf(actual: Actual | null): string | null {
  if (actual === null || actual.current.kind !== "link") return null;
  switch (actual.served.kind) {
    case "build":
      return actual.served.build;
    case "unknown":
      return actual.current.build;
    case "down": {
      // An instance that is down says nothing of the others.
      const served = actual.instances.map((each) => each.served).find((each) => each.kind === "build");
      return served?.kind === "build" ? served.build : null;
    }
  }
}

function healthOf({ actual, healthy, journal, target }: StatusFacts): HostStatus["health"] {
  if (actual === null || actual.current.kind !== "link") return "nothing";
  // Nobody misses what was stopped for good, and what its supervisor says of it is no illness.
  if (journal.leaving !== undefined && journal.activation === null) return "nothing";
  if (actual.instances.every(({ served }) => served.kind === "down")) return "unhealthy";
  // Before the first probe: an agent that has just started must not call a service healthy that its predecessor left
  // unhealthy.
  return (healthy ?? failureOfWish(journal, target)?.healthy ?? true) ? "healthy" : "unhealthy";
}

/** The failure of the wished build is told until there is another wish. */
function failureToTell({ journal, target, trouble }: StatusFacts): Trouble | null {
  const { activation } = journal;
  if (activation !== null && isWayBack(activation.phase)) {
    return { build: activation.build, failure: activation.phase.failure };
  }
  if (trouble !== null) return trouble;
  return failureOfWish(journal, target);
}

function failureOfWish({ failed }: Journal, target: Target): Journal["failed"] {
  const concerns = failed !== null && target.kind === "build" && failed.deploy === target.deploy;
  return concerns && failed.build === target.build ? failed : null;
}
