import { asDeployError, type DeployError } from "../core/errors.ts";
import { type Step, rungOf, type Rung } from "../core/step.ts";
import type { StepFailure } from "../schema/journal.ts";
import { condemn, turnBack, type ActivationEffects } from "./activation.ts";
import { type Failing, Patience } from "./patience.ts";
import { failureOf } from "./step_failure.ts";

type PrepareStep = Extract<Step, { step: "fetch" | "verify" | "extract" | "install" }>;

/** How many times a step is tried whose trouble may pass, where no deadline ends the tries. */
const TRIES = 8;

/** What follows from a failure. */
interface Consequence {
  readonly next: "again" | "back" | "failed";
  readonly leastMs: number;
  readonly mostMs: number;
  /** Until when it is tried again, by the wall clock: for people. */
  readonly untilMs?: number;
  readonly said: string;
}

const TRIED_AGAIN: Consequence = {
  next: "again",
  leastMs: 0,
  mostMs: Number.POSITIVE_INFINITY,
  said: "It is tried again.",
};
const TURNED_BACK: Consequence = { ...TRIED_AGAIN, next: "back", said: "" };
const GIVEN_UP: Consequence = { ...TRIED_AGAIN, next: "failed", said: "" };

/** What follows from a step's failure: the build has failed here, or the step is tried again after a pause. */
export class Setback {
  readonly #outcome: ActivationEffects;
  readonly #onFailed: (step: Rung, code: string) => void;
  readonly #patience: Patience;
  #told = "";

  constructor(outcome: ActivationEffects, onFailed: (step: Rung, code: string) => void) {
    this.#outcome = outcome;
    this.#onFailed = onFailed;
    this.#patience = new Patience(outcome.host.machine.clock);
  }

  /** A step succeeded: what fails from now on is logged anew. */
  over(): void {
    this.#outcome.state.trouble = null;
    this.#told = "";
  }

  /**
   * The one place that turns a step's failure into the next decision. It never throws: a decision that cannot be
   * recorded, because the disk takes no journal, is made again after a pause from what is observed then.
   *
   * @param signal ends the pause
   */
  async take(step: Step | null, error: DeployError, signal: AbortSignal): Promise<void> {
    const { state, host } = this.#outcome;
    const failure = failureOf(step, error, state.step, host.machine.clock.now());
    const rung = step === null ? null : rungOf(step);
    if (rung !== null) this.#onFailed(rung, error.code);
    let consequence: Consequence = TRIED_AGAIN;
    try {
      consequence = this.#consequenceOf(step, error);
      if (await this.#isDone(consequence, failure)) return this.over();
      this.#tell(`${error.explained} ${consequence.said}`, step);
      await this.#wait(failure, consequence, signal);
    } catch (thrown) {
      const { message } = asDeployError(thrown, "Cannot decide what follows");
      const unsaid = message === failure.message ? "" : ` What follows from it cannot be done yet: ${message}`;
      this.#tell(`${failure.message} ${failure.hint}${unsaid} ${TRIED_AGAIN.said}`, step);
      await this.#wait({ ...failure, hint: `${failure.hint}${unsaid}` }, TRIED_AGAIN, signal);
    }
  }

  /** Whether the step is tried again, and when. */
  #consequenceOf(step: Step | null, error: DeployError): Consequence {
    switch (step?.step) {
      case "flip":
      case "restart":
      case "check":
      case "soak":
        this.#patience.failed(step.step);
        return TURNED_BACK;
      case "fetch":
        return this.#consequenceOfFetch(step, error);
      case "verify":
      case "extract":
      case "install": {
        const { tries } = this.#patience.failed(keyOf(step));
        return error.retry && tries < this.#most(step.step, error) ? TRIED_AGAIN : GIVEN_UP;
      }
      default:
        // Looking, journalling or talking to ZooKeeper failed: nothing was decided, so it is tried again.
        this.#patience.failed("look");
        return TRIED_AGAIN;
    }
  }

  /**
   * A retried download takes nothing out of service, so it has a deadline instead of a number of tries, and the deadline
   * counts only while no further bytes come.
   */
  #consequenceOfFetch(step: PrepareStep, error: DeployError): Consequence {
    const { limits } = this.#outcome.host.config;
    const { snapshot, downloaded } = this.#outcome.state;
    const failing = this.#patience.failed(`${keyOf(step)} ${snapshot.build?.url}`, downloaded?.bytes);
    if (error.code === "build-unknown") return TRIED_AGAIN;
    if (!error.retry) return GIVEN_UP;
    const limitMs = limits.fetch_deadline_s * 1000;
    if (failing.forMs >= limitMs || failing.tries >= (limits.fetch_attempts ?? Number.POSITIVE_INFINITY)) {
      return { ...GIVEN_UP, said: triedText(failing, limits.fetch_deadline_s) };
    }
    const untilMs = failing.sinceMs + limitMs;
    return {
      next: "again",
      leastMs: error.retryAfterMs,
      mostMs: limitMs - failing.forMs,
      untilMs,
      said: `It is tried again until ${new Date(untilMs).toISOString()}.`,
    };
  }

  /** False when the step is to be tried again. */
  async #isDone({ next, said }: Consequence, failure: StepFailure): Promise<boolean> {
    switch (next) {
      case "back":
        await turnBack(this.#outcome, failure);
        return true;
      case "failed":
        await condemn(this.#outcome, said === "" ? failure : { ...failure, hint: `${failure.hint} ${said}` });
        return true;
      case "again":
        return false;
    }
  }

  /**
   * How many times a step is tried. The ladder itself counts installs, and a build that nobody has added yet may still be
   * added, so neither is limited here.
   */
  #most(step: PrepareStep["step"], error: DeployError): number {
    const unbounded = step === "install" || error.code === "build-unknown";
    if (unbounded) return Number.POSITIVE_INFINITY;
    return (step === "verify" ? null : this.#outcome.host.config.limits.fetch_attempts) ?? TRIES;
  }

  /** Logs a lasting trouble once. */
  #tell(message: string, step: Step | null): void {
    if (message !== this.#told) this.#outcome.say("warn", message, { step: step?.step ?? "look" });
    this.#told = message;
  }

  async #wait(failure: StepFailure, consequence: Consequence, signal: AbortSignal): Promise<void> {
    const { state } = this.#outcome;
    const { target } = state.snapshot;
    const { untilMs } = consequence;
    const trouble = { failure, ...(untilMs === undefined ? {} : { untilMs }) };
    state.trouble = target.kind === "build" ? { build: target.build, ...trouble } : null;
    state.changed();
    await this.#patience.pause(signal, consequence);
  }
}

function keyOf({ deploy, build, step }: PrepareStep): string {
  return `${deploy}/${build}/${step}`;
}

function triedText({ tries, forMs }: Failing, deadlineS: number): string {
  if (tries === 1) return "";
  const times = `It was tried ${tries} times in ${Math.round(forMs / 1000)} s`;
  return `${times}, and a host gives up after ${deadlineS} s (limits.fetch_deadline_s).`;
}
