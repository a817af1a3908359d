import { withNothingLost } from "./journal_former.ts";
import { activationIn, illegal } from "./journal_origin.ts";
import { isRestarted, restartOf, touchedBy } from "./restart_progress.ts";
import type { Activation, ActivationPhase, Journal, ProcessStamp, StepFailure } from "../schema/journal.ts";
import type { InstanceServed } from "./served.ts";

/** How many builds that passed check and soak are remembered: those that the host may go back to. */
const KEPT_PROVEN = 2;

/** From the grant of the slot to the word that the host serves, or has failed. */
export type ActivationEvent =
  /** Written before anything of the running service is touched. */
  | { readonly kind: "begun"; readonly activation: Activation }
  /** Given up for a newer wish. */
  | { readonly kind: "abandoned" }
  /** All instances of the build passed their check, and these are its processes. */
  | {
      readonly kind: "checked";
      readonly build: string;
      readonly processes: readonly ProcessStamp[];
      readonly config: string;
    }
  /** The build has soaked: the host must not come to doubt it again. */
  | { readonly kind: "proven" }
  /** The activation is over, and the host serves. */
  | { readonly kind: "finished"; readonly atMs: number }
  /** What was activated has stayed in service for a while. */
  | { readonly kind: "settled" }
  /**
   * The build failed: from here the host goes back to the previous build, or, where it was on its way back already,
   * nowhere.
   */
  | { readonly kind: "turned-back"; readonly failure: StepFailure; readonly instances: readonly InstanceServed[] }
  /** The end of the way back. */
  | { readonly kind: "given-up"; readonly healthy: boolean };

type Of<Kind extends ActivationEvent["kind"]> = Extract<ActivationEvent, { kind: Kind }>;

export function begun(journal: Journal, { kind, activation }: Of<"begun">): Journal {
  const { attempt, failed } = journal;
  const { build, deploy, phase, counts } = activation;
  if (journal.activation !== null) throw illegal(kind, `that of "${journal.activation.build}" has not ended`);
  if (attempt?.number !== activation.attempt || attempt.deploy !== deploy || attempt.build !== build) {
    throw illegal(kind, `"${build}" of deploy ${deploy} was not taken up as number ${activation.attempt}`);
  }
  const isSettled = (failed?.again ?? 0) >= (attempt.again ?? 0);
  if (failed?.deploy === deploy && failed.build === build && isSettled)
    throw illegal(kind, `"${build}" has failed here`);
  if (phase.kind !== "forward" || phase.restart.begun > 0 || counts.instances > 0) {
    throw illegal(kind, "it is on its way already");
  }
  return { ...journal, activation, attempt: { ...attempt, begun: (attempt.begun ?? 0) + 1 } };
}

export function settled(journal: Journal, { kind }: Of<"settled">): Journal {
  const { activation, attempt } = journal;
  if (activation !== null) throw illegal(kind, "an activation is under way");
  if (attempt === null) throw illegal(kind, "no wish was taken up");
  return { ...journal, attempt: { ...attempt, begun: 0 } };
}

export function abandoned(journal: Journal, { kind }: Of<"abandoned">): Journal {
  const activation = activationIn(journal, kind, ["forward"]);
  return { ...journal, activation: null, lastRestart: restartTold(activation) };
}

export function checked(journal: Journal, { kind, build, processes, config }: Of<"checked">): Journal {
  const activation = activationIn(journal, kind, ["forward", "back"]);
  const expected = activation.phase.kind === "forward" ? activation.build : activation.previous;
  if (build !== expected) throw illegal(kind, `"${build}" is not the one that is brought to life`);
  if (!isRestarted(activation.phase.restart)) throw illegal(kind, "instances are still to be restarted");
  return { ...journal, restarted: { build, processes, config } };
}

export function proven(journal: Journal, { kind }: Of<"proven">): Journal {
  const activation = activationIn(journal, kind, ["forward", "proven"]);
  const { phase } = activation;
  // This was recorded already, and giving the slot back failed.
  if (phase.kind === "proven") return journal;
  if (!isRestarted(phase.restart)) throw illegal(kind, "instances are still to be restarted");
  if (journal.restarted?.build !== activation.build) throw illegal(kind, "its check has not passed");
  return withPhase(journal, activation, { kind: "proven" });
}

export function finished(journal: Journal, { kind, atMs }: Of<"finished">): Journal {
  const activation = activationIn(journal, kind, ["proven"]);
  const { build, deploy } = activation;
  const { attempt } = journal;
  const isOwn = attempt !== null && attempt.number === activation.attempt;
  const isNews = isOwn && attempt.served !== true;
  return {
    ...journal,
    ...(isOwn ? { attempt: { ...attempt, served: true } } : {}),
    ...(isNews ? { served: { deploy, build, atMs } } : {}),
    ...withNothingLost(journal),
    activation: null,
    failed: null,
    installs: null,
    lastRestart: restartTold(activation),
    proven: [build, ...journal.proven.filter((other) => other !== build)].slice(0, KEPT_PROVEN),
  };
}

export function turnedBack(journal: Journal, { kind, failure, instances }: Of<"turned-back">): Journal {
  const activation = activationIn(journal, kind, ["forward", "back"]);
  const { phase, previous } = activation;
  return withPhase(
    journal,
    activation,
    phase.kind === "forward"
      ? { kind: "back", failure, restart: restartOf(touchedBy(phase.restart, instances, previous)) }
      : { kind: "stuck", failure: phase.failure, second: failure },
  );
}

export function givenUp(journal: Journal, { kind, healthy }: Of<"given-up">): Journal {
  const activation = activationIn(journal, kind, ["back", "stuck"]);
  const { build, deploy, attempt, phase } = activation;
  if (phase.kind === "stuck" && healthy) throw illegal(kind, "what could not go back is not healthy");
  const { failure } = phase;
  const hint = `${howItIsNow(activation, healthy)} ${failure.hint}`;
  return {
    ...journal,
    activation: null,
    lastRestart: restartTold(activation),
    failed: { deploy, build, failure: { ...failure, hint }, attempt, again: journal.attempt?.again ?? 0, healthy },
  };
}

function howItIsNow({ phase, previous }: Activation, healthy: boolean): string {
  if (phase.kind === "stuck" && phase.second !== null) {
    return `Going back to "${previous}" failed too: ${phase.second.message}`;
  }
  if (healthy) return `The host went back to "${previous}" and is healthy.`;
  return previous === null
    ? "The host has no older build to go back to."
    : `Going back to "${previous}" failed too: its restarts were begun and never succeeded.`;
}

/** What the restarts cost, kept for the status. */
function restartTold({ counts, build, deploy }: Activation): Journal["lastRestart"] {
  return counts.instances === 0 ? null : { ...counts, build, deploy };
}

function withPhase(journal: Journal, activation: Activation, phase: ActivationPhase): Journal {
  return { ...journal, activation: { ...activation, phase } };
}
