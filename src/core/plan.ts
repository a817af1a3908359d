import type { Activation, Journal, RestartProgress } from "../schema/journal.ts";
import { afterBoot, bootToNote } from "./boot.ts";
import { installsBegun } from "./journal.ts";
import { isOutlived } from "./journal_former.ts";
import { whileLeaving } from "./leaving_step.ts";
import { isLeftAlone, relapse, toRestart, whoStarts } from "./restart_need.ts";
import { isBetweenBatches, isRestarted, nextBatch, noCounts, restartOf, whyExhausted } from "./restart_progress.ts";
import type { CurrentLink } from "./served.ts";
import type { Actual, Situation } from "./situation.ts";
import type { Step } from "./step.ts";
import type { Target } from "./targets.ts";

/**
 * The next rung, from what is observed. It handles a restart after a crash, a retry and a newer wish alike: it looks at
 * the host, not at what was done last.
 */
export function decide(situation: Situation): Step {
  const { journal, target } = situation;
  if (journal.activation !== null) return activate(situation, journal.activation);
  const leaving = whileLeaving(situation);
  if (leaving !== null) return leaving;
  const booted = afterBoot(situation);
  if (booted !== null) return booted;
  switch (target.kind) {
    case "unknown":
      return { step: "idle", reason: "zookeeper-unread" };
    case "none":
      return { step: "idle", reason: "no-wish" };
    case "build":
      return prepare(situation, target);
  }
}

function prepare(situation: Situation, target: { build: string; deploy: string }): Step {
  const { actual, journal, permission, soakMs, bootId } = situation;
  const { build, deploy } = target;

  const isNew = journal.attempt?.deploy !== deploy || journal.attempt.build !== build;
  if (isNew || isOutlived(journal)) return { step: "take-up", build, deploy };
  const { again = 0, served } = journal.attempt;
  const isFailed = journal.failed?.deploy === deploy && journal.failed.build === build;
  // Whoever conducts may count a failure that this host knows nothing of; what fails from now on has been tried again.
  if (again < situation.again && (isFailed || served !== true)) return { step: "take-up", build, deploy };
  if (isFailed && (journal.failed.again ?? 0) >= again) return { step: "idle", reason: "failed" };
  if (actual.current.kind === "foreign") {
    return {
      step: "refuse",
      failure: {
        code: "current-not-a-link",
        message: `Cannot serve "${build}": current is ${actual.current.what}, not a link into releases/.`,
        hint: "Move it away, or give the service another root.",
        step: "idle",
        log: "",
      },
    };
  }

  const pointsHere = actual.current.kind === "link" && actual.current.build === build;
  const startedBy = whoStarts(journal.attempt, actual);
  // Once it has served for this wish, it is left alone.
  const isIll = (situation.isIll || situation.restarts) && journal.attempt.served !== true;
  const isLeft = !isIll && isLeftAlone(actual.served, { startedBy }, build);
  if (actual.release === "installed" && pointsHere && isLeft) {
    const isSeen = actual.served.kind === "build" && actual.served.build === build;
    if (isSeen && journal.attempt.served !== true) return { step: "note-served", attempt: journal.attempt.number };
    return { step: "idle", reason: "serving" };
  }

  switch (actual.release) {
    case "absent":
      return { step: rungOfSpool(actual.spool), build, deploy };
    case "extracted": {
      const begun = installsBegun(journal, { deploy, build });
      if (begun < situation.maxInstalls) return { step: "install", build, deploy };
      return {
        step: "refuse",
        failure: {
          code: "attempts-exhausted",
          message: `Cannot install "${build}": its install steps were begun ${begun} times and never succeeded.`,
          hint: "Look at the install log on the host; a step that kills the agent or the machine shows no output.",
          step: "install",
          log: "",
        },
      };
    }
    case "installed":
      break;
  }

  const attempt = journal.attempt.number;
  const failure = relapse(journal.attempt, actual);
  if (failure !== null) return { step: "refuse", failure };
  if (permission.kind === "none") return { step: "ask" };
  const previous = wayBack(actual.current, journal, build);
  const left =
    isIll && pointsHere
      ? actual.instances.map(({ name }) => name)
      : toRestart({ ...actual, startedBy }, build, pointsHere);
  const phase = { kind: "forward", restart: restartOf(left) } as const;
  return { step: "begin", activation: { build, deploy, previous, attempt, soakMs, bootId, phase, counts: noCounts } };
}

/**
 * The build to go back to when this one fails; null where there is none. Where the right build went down, it is started
 * again, with no older build behind it. Neither a build that failed here and was left in place, nor, while a proven one
 * exists, a build whose activation a newer wish interrupted, is a way back.
 */
function wayBack(current: CurrentLink, { failed, proven }: Journal, build: string): string | null {
  if (current.kind !== "link" || current.build === build) return null;
  if (current.build === failed?.build) return null;
  if (proven.includes(current.build)) return current.build;
  return proven.find((other) => other !== build && other !== failed?.build) ?? current.build;
}

/** The next rung of a build that is not unpacked yet. */
export function rungOfSpool(spool: Actual["spool"]): "fetch" | "verify" | "extract" {
  switch (spool) {
    case "absent":
    case "partial":
      return "fetch";
    case "fetched":
      return "verify";
    case "verified":
      return "extract";
  }
}

function activate(situation: Situation, activation: Activation): Step {
  const { phase } = activation;
  switch (phase.kind) {
    case "forward": {
      if (overtaken(situation, activation)) return { step: "abandon" };
      const booted = bootToNote(situation, activation, phase.restart);
      if (booted !== null) return booted;
      const exhausted = whyExhausted(phase.restart);
      if (exhausted !== null) {
        return {
          step: "turn-back",
          failure: {
            code: "attempts-exhausted",
            message: `Cannot restart into "${activation.build}": ${exhausted}.`,
            hint: "Look at the restart log on the host.",
            step: "restart",
            log: "",
          },
        };
      }
      return (
        towards(situation, activation, activation.build, phase.restart, false) ?? soakOrFinish(situation, activation)
      );
    }
    case "back": {
      if (activation.previous === null) return { step: "give-up", healthy: false };
      const booted = bootToNote(situation, activation, phase.restart);
      if (booted !== null) return booted;
      if (whyExhausted(phase.restart) !== null) return { step: "give-up", healthy: false };
      return (
        towards(situation, activation, activation.previous, phase.restart, true) ?? {
          step: "give-up",
          healthy: true,
        }
      );
    }
    case "proven":
      return { step: "finish" };
    case "stuck":
      return { step: "give-up", healthy: false };
  }
}

/** Flip, restart and check, as far as each is still to be done; null when the build is in place and proven. */
function towards(
  situation: Situation,
  activation: Activation,
  build: string,
  progress: RestartProgress,
  back: boolean,
): Step | null {
  const { actual, proof } = situation;
  if (actual.current.kind !== "link" || actual.current.build !== build) return { step: "flip", build, back };
  if (!isRestarted(progress)) return { step: "restart", build, back, batch: nextBatch(progress, situation.batch) };
  if (proof?.build !== build || proof.attempt !== activation.attempt) return { step: "check", build, back };
  return null;
}

function soakOrFinish({ proof, nowMs, target }: Situation, activation: Activation): Step {
  const { soakMs, build } = activation;
  if (soakMs === 0 || proof?.soaked === true) return { step: "finish" };
  // A newer wish cuts the soak short. The service may have died since its check, so it is checked once more.
  const endsMs = isNewer(target, activation) ? nowMs : (proof?.atMs ?? nowMs) + soakMs;
  return { step: "soak", build, remainingMs: Math.max(0, endsMs - nowMs) };
}

/** Compares the build too: a rollback keeps the deploy's id and wishes another build. */
function isNewer(target: Target, { build, deploy }: Activation): boolean {
  return target.kind === "build" && (target.build !== build || target.deploy !== deploy);
}

/**
 * True when a newer wish came and nothing is half done: this activation has changed nothing yet, or it is between two
 * batches and the newer build is ready to go on with.
 */
function overtaken({ target, actual }: Situation, activation: Activation): boolean {
  if (!isNewer(target, activation)) return false;
  if (actual.current.kind === "absent") return true;
  if (actual.current.kind === "link" && actual.current.build !== activation.build) return true;
  const { phase } = activation;
  if (phase.kind !== "forward" || isRestarted(phase.restart)) return false;
  // Another deploy of the same build: beginning again half-way would only lose the build to go back to.
  if (target.kind === "build" && target.build === activation.build) return false;
  const begun = activation.counts.instances > 0 && isBetweenBatches(phase.restart);
  return begun && actual.release === "installed";
}
