import type { DeployError } from "../core/errors.ts";
import type { Step } from "../core/plan.ts";
import { rungOf } from "../core/rung.ts";
import type { StepFailure } from "../core/types.ts";
import type { HostStep } from "../schema/znodes.ts";
import { redact } from "../support/redact.ts";

/** An error as the journal and the status keep it: without secrets, with the end of the step's output. */
export function failureOf(step: Step | null, error: DeployError, standsOn: HostStep, atMs: number): StepFailure {
  const { cause } = error;
  const tail = typeof cause === "object" && cause !== null && "tail" in cause ? cause.tail : "";
  return {
    code: error.code,
    message: redact(error.message),
    hint: redact(error.hint),
    step: (step === null ? null : rungOf(step)) ?? standsOn,
    log: typeof tail === "string" ? redact(tail) : "",
    atMs,
  };
}
