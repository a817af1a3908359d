import type { DeployError } from "../core/errors.ts";
import { type Step, rungOf } from "../core/step.ts";
import type { StepFailure } from "../schema/journal.ts";
import type { HostStep } from "../schema/znodes.ts";
import { redact } from "../support/redact.ts";

/**
 * The longest message and hint, each in bytes of JSON, so that the journal never outgrows the disk space reserved for it.
 */
const MESSAGE_BYTES = 4_000;
const HINT_BYTES = 1_000;
const LOG_BYTES = 5_000;

/** An error as the journal and the status keep it: with secrets redacted and the end of the step's output. */
export function failureOf(step: Step | null, error: DeployError, standsOn: HostStep, atMs: number): StepFailure {
  const { cause } = error;
  const tail = typeof cause === "object" && cause !== null && "tail" in cause ? cause.tail : "";
  return {
    code: error.code,
    message: within(redact(error.message), MESSAGE_BYTES, (text, chars) => `${text.slice(0, chars)}…`),
    hint: within(redact(error.hint), HINT_BYTES, (text, chars) => `${text.slice(0, chars)}…`),
    step: (step === null ? null : rungOf(step)) ?? standsOn,
    log: typeof tail === "string" ? endOfLog(redact(tail)) : "",
    atMs,
  };
}

/** The end of an output, as much of it as a failure has room for. */
export function endOfLog(text: string): string {
  return within(text, LOG_BYTES, (text, chars) => text.slice(-chars));
}

function within(text: string, bytes: number, cut: (text: string, chars: number) => string): string {
  let short = text;
  for (let chars = bytes; Buffer.byteLength(JSON.stringify(short)) > bytes; chars = Math.floor((chars * 3) / 4)) {
    short = cut(text, chars);
  }
  return short;
}
