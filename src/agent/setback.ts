import { asDeployError, type DeployError } from "../core/errors.ts";
import type { Step } from "../core/plan.ts";
import { rungOf, type Rung } from "../core/rung.ts";
import type { StepFailure } from "../core/types.ts";
import { condemn, turnBack, type OutcomePorts } from "./outcomes.ts";
import { Patience } from "./patience.ts";
import { failureOf } from "./step_failure.ts";

type PrepareStep = Extract<Step, { step: "fetch" | "verify" | "extract" | "install" }>;

/** What a step's failure comes to: the build has failed here, or it is tried again after a pause. */
export class Setback {
  readonly #outcome: OutcomePorts;
  readonly #onFailed: (step: Rung, code: string) => void;
  readonly #patience: Patience;
  #told = "";

  constructor(outcome: OutcomePorts, onFailed: (step: Rung, code: string) => void) {
    this.#outcome = outcome;
    this.#onFailed = onFailed;
    this.#patience = new Patience(outcome.host.machine.clock);
  }

  /** Something went well: what is wrong from now on is told anew. */
  over(): void {
    this.#outcome.state.trouble = null;
    this.#told = "";
  }

  /**
   * The one place where a step's failure becomes the next decision. It never throws: what cannot be decided now, because
   * the disk takes no journal, is observed again after a pause, and fails again where it was no hiccup.
   *
   * @param signal ends the pause
   */
  async take(step: Step | null, error: DeployError, signal: AbortSignal): Promise<void> {
    const { state, host } = this.#outcome;
    const failure = failureOf(step, error, state.step, host.machine.clock.now());
    const rung = step === null ? null : rungOf(step);
    if (rung !== null) this.#onFailed(rung, error.code);
    try {
      if (await this.#isDecided(step, error, failure)) return this.over();
      this.#tell(`${error.explained} It is tried again.`, step);
      await this.#wait(failure, signal);
    } catch (thrown) {
      const { message } = asDeployError(thrown, "Cannot decide what follows");
      const unsaid = message === failure.message ? "" : ` What follows from it cannot be done yet: ${message}`;
      this.#tell(`${failure.message} ${failure.hint}${unsaid} It is tried again.`, step);
      await this.#wait({ ...failure, hint: `${failure.hint}${unsaid}` }, signal);
    }
  }

  /** False when the step is to be tried again. */
  async #isDecided(step: Step | null, error: DeployError, failure: StepFailure): Promise<boolean> {
    switch (step?.step) {
      case "flip":
      case "restart":
      case "check":
      case "soak":
        this.#patience.failed(step.step);
        await turnBack(this.#outcome, failure);
        return true;
      case "fetch":
      case "verify":
      case "extract":
      case "install": {
        const tries = this.#patience.failed(`${step.deploy}/${step.build}/${step.step}`);
        if (error.retry && tries < this.#most(step.step, error)) return false;
        await condemn(this.#outcome, failure);
        return true;
      }
      default:
        // Looking, journalling or talking to ZooKeeper failed: nothing was decided, so it is tried again.
        this.#patience.failed("look");
        return false;
    }
  }

  /** Tries of one step. The ladder itself counts installs; a build that nobody has added yet may still be added. */
  #most(step: PrepareStep["step"], error: DeployError): number {
    const unbounded = step === "install" || error.code === "build-unknown";
    return unbounded ? Number.POSITIVE_INFINITY : this.#outcome.host.config.limits.fetch_attempts;
  }

  /** A trouble that lasts is told once. */
  #tell(message: string, step: Step | null): void {
    if (message !== this.#told) this.#outcome.say("warn", message, { step: step?.step ?? "look" });
    this.#told = message;
  }

  async #wait(failure: StepFailure, signal: AbortSignal): Promise<void> {
    const { state } = this.#outcome;
    const { target } = state.snapshot;
    state.trouble = target.kind === "build" ? { build: target.build, failure } : null;
    state.changed();
    await this.#patience.pause(signal);
  }
}
