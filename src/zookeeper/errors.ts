/**
 * Every way an operation can fail. The first group is the server's own answer (`KeeperException.Code` of Apache
 * ZooKeeper), the second is found by this client.
 */
const serverCodes = {
  SYSTEM_ERROR: -1,
  RUNTIME_INCONSISTENCY: -2,
  DATA_INCONSISTENCY: -3,
  MARSHALLING_ERROR: -5,
  UNIMPLEMENTED: -6,
  BAD_ARGUMENTS: -8,
  UNKNOWN_SESSION: -12,
  NEW_CONFIG_NO_QUORUM: -13,
  RECONFIG_IN_PROGRESS: -14,
  API_ERROR: -100,
  NO_NODE: -101,
  NO_AUTH: -102,
  BAD_VERSION: -103,
  NO_CHILDREN_FOR_EPHEMERALS: -108,
  NODE_EXISTS: -110,
  NOT_EMPTY: -111,
  INVALID_CALLBACK: -113,
  INVALID_ACL: -114,
  SESSION_MOVED: -118,
  NOT_READ_ONLY: -119,
  EPHEMERAL_ON_LOCAL_SESSION: -120,
  NO_WATCHER: -121,
  REQUEST_TIMEOUT: -122,
  RECONFIG_DISABLED: -123,
  SESSION_CLOSED_REQUIRE_SASL_AUTH: -124,
  QUOTA_EXCEEDED: -125,
  THROTTLED: -127,
  CONNECTION_LOSS: -4,
  OPERATION_TIMEOUT: -7,
  SESSION_EXPIRED: -112,
  AUTH_FAILED: -115,
} as const;

export type ServerErrorCode = keyof typeof serverCodes;

/**
 * `TOO_LARGE`: the request is over the server's packet limit. `CLOSED`: `close()` was called before the answer came.
 * `TLS_REFUSED_BY_SERVER`, `TLS_REFUSED_BY_US`: a certificate was not accepted, ours by the server or the server's by us.
 */
export type ZooKeeperErrorCode =
  | ServerErrorCode
  | "ABORTED"
  | "CLOSED"
  | "TLS_REFUSED_BY_SERVER"
  | "TLS_REFUSED_BY_US"
  | "TOO_LARGE"
  | "UNKNOWN_ERROR";

/**
 * What a failed operation did to the tree. `refused`: the server said no, nothing changed. `not-sent`: nothing changed,
 * since the server never saw it or it was only a read. `unknown`: a write was sent and its answer was lost; it may have
 * been applied or not.
 */
export type FailureOutcome = "refused" | "not-sent" | "unknown";

const nameByNumber = new Map<number, ServerErrorCode>(
  Object.entries(serverCodes).map(([name, number]) => [number, name as ServerErrorCode]),
);

/** The error number of `code` in the protocol. */
export function errorNumber(code: ServerErrorCode): number {
  return serverCodes[code];
}

/** The code of an error number; a server newer than this table may send an unknown one. */
export function errorCode(number: number): ZooKeeperErrorCode {
  return nameByNumber.get(number) ?? "UNKNOWN_ERROR";
}

export interface ZooKeeperErrorFacts {
  readonly code: ZooKeeperErrorCode;
  readonly operation: string;
  readonly outcome: FailureOutcome;
  readonly path?: string | undefined;
  /** In a `multi`: which of its operations was refused, counted from 0. */
  readonly index?: number | undefined;
  readonly detail?: string | undefined;
  readonly cause?: unknown;
}

/** The one error of this package. Look at `code` through `isZooKeeperError`, never at the class's name. */
export class ZooKeeperError extends Error {
  readonly code: ZooKeeperErrorCode;
  readonly operation: string;
  readonly outcome: FailureOutcome;
  readonly path?: string;
  readonly index?: number;

  constructor(facts: ZooKeeperErrorFacts) {
    super(describe(facts), facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = facts.code;
    this.operation = facts.operation;
    this.outcome = facts.outcome;
    if (facts.path !== undefined) this.path = facts.path;
    if (facts.index !== undefined) this.index = facts.index;
  }
}

function describe(facts: ZooKeeperErrorFacts): string {
  const at = facts.path === undefined ? "" : ` ${facts.path}`;
  const nth = facts.index === undefined ? "" : ` (operation ${facts.index} of the multi)`;
  const detail = facts.detail === undefined ? "" : `: ${facts.detail}`;
  const unsure = facts.outcome === "unknown" ? "; whether the write was applied is not known" : "";
  return `ZooKeeper ${facts.operation}${at} failed with ${facts.code}${nth}${detail}${unsure}`;
}

/** True for an error of this package and, when codes are given, only for one of these. */
export function isZooKeeperError(error: unknown, ...codes: ZooKeeperErrorCode[]): error is ZooKeeperError {
  return error instanceof ZooKeeperError && (codes.length === 0 || codes.includes(error.code));
}
