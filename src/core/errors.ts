import type { ErrorCode } from "../schema/error_code.ts";

export type { ErrorCode } from "../schema/error_code.ts";

export interface DeployErrorFacts {
  readonly code: ErrorCode;
  /** What to do about it: a sentence for the person who reads the error. */
  readonly hint?: string;
  /** True when the same call may succeed later with nothing changed by a person (a network that comes back). */
  readonly retry?: boolean;
  /** How long the other side asks to be left alone before a retry, in milliseconds. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/**
 * The one error of deployd. `message` says what was attempted, with the values, and what happened; `hint` says what to
 * do. Ask `isDeployError(error)` and look at `code`; never at the class's name, which a minifier changes.
 */
export class DeployError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly retry: boolean;
  readonly retryAfterMs: number;

  constructor(message: string, facts: DeployErrorFacts) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = facts.code;
    this.hint = facts.hint ?? "";
    this.retry = facts.retry ?? false;
    this.retryAfterMs = facts.retryAfterMs ?? 0;
  }

  /** Message and hint in one line, the form in which a status or a log shows it. */
  get explained(): string {
    return this.hint === "" ? this.message : `${this.message} ${this.hint}`;
  }
}

export function isDeployError(error: unknown): error is DeployError {
  return error instanceof DeployError;
}

/** Any thrown value as a DeployError; what is not ours becomes `internal` and keeps its text and its cause. */
export function asDeployError(error: unknown, attempted: string): DeployError {
  if (isDeployError(error)) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new DeployError(`${attempted}: ${text}`, { code: "internal", cause: error });
}
