/**
 * Stable codes of everything that can go wrong. They are part of the interface: they stand in `--json` output, in the
 * status and in metrics, and docs/errors.md explains each. Class names are never compared (a minifier renames them).
 */
export type ErrorCode =
  // Configuration and usage
  | "usage"
  | "config-invalid"
  | "manifest-invalid"
  | "policy-refused"
  // ZooKeeper
  | "zookeeper-unreachable"
  | "zookeeper-data-invalid"
  | "write-unknown"
  | "conflict"
  // Things that were named and are not there, or are in the way
  | "service-unknown"
  | "build-unknown"
  | "build-exists"
  | "build-barred"
  | "host-unknown"
  | "deploy-unknown"
  | "deploy-running"
  | "nothing-to-do"
  // Prepare
  | "fetch-failed"
  | "digest-mismatch"
  | "archive-invalid"
  | "archive-hostile"
  | "disk-full"
  | "install-failed"
  | "install-timeout"
  // Activate
  | "current-not-a-link"
  | "restart-failed"
  | "restart-timeout"
  | "check-failed"
  | "instances-unavailable"
  | "drain-timeout"
  | "traffic-failed"
  | "attempts-exhausted"
  // The process itself
  | "already-running"
  | "port-taken"
  | "aborted"
  | "internal";

export interface DeployErrorFacts {
  readonly code: ErrorCode;
  /** What to do about it: a sentence for the person who reads the error. */
  readonly hint?: string;
  /** True when the same call may succeed later with nothing changed by a person (a network that comes back). */
  readonly retry?: boolean;
  readonly cause?: unknown;
}

/**
 * The one error of deployd. `message` says what was attempted, with the values, and what happened; `hint` says what to
 * do. Ask `isDeployError(error)` and look at `code`; never at the class's name.
 */
export class DeployError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly retry: boolean;

  constructor(message: string, facts: DeployErrorFacts) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = facts.code;
    this.hint = facts.hint ?? "";
    this.retry = facts.retry ?? false;
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
