import { ZooKeeperError, type ZooKeeperErrorCode } from "./errors.ts";

/** What a session is doing. `expired`, `auth-failed` and `closed` are final; nothing follows them. */
export type SessionState =
  /** There is no session yet. `reason`: why the last attempt failed. */
  | { readonly kind: "connecting"; readonly reason?: string }
  | {
      readonly kind: "connected";
      readonly server: string;
      /** Hexadecimal, as the server's log and `zkCli.sh` show it. */
      readonly sessionId: string;
      readonly negotiatedTimeoutMs: number;
      /** True on a server that is cut off from its ensemble (only with the option `readOnly`): writes are refused. */
      readonly readOnly: boolean;
    }
  /** The connection is lost, but the session may live on: operations wait. `since` is in milliseconds since 1970. */
  | { readonly kind: "suspended"; readonly since: number; readonly reason: string }
  /**
   * `reason`: a server said so, a server gave another session instead, or none could be reached for 1.5 times the timeout.
   */
  | { readonly kind: "expired"; readonly reason: string }
  /** An identity was refused. `code` says which: ours by the server (auth, SASL, certificate), or the server's by us. */
  | { readonly kind: "auth-failed"; readonly code: RefusalCode; readonly reason: string }
  | { readonly kind: "closed" };

export type RefusalCode = "AUTH_FAILED" | "TLS_REFUSED_BY_SERVER" | "TLS_REFUSED_BY_US";

export type TerminalState = Extract<SessionState, { kind: "expired" | "auth-failed" | "closed" }>;

export function isTerminal(state: SessionState): state is TerminalState {
  return state.kind === "expired" || state.kind === "auth-failed" || state.kind === "closed";
}

export function sessionName(sessionId: bigint): string {
  return `0x${BigInt.asUintN(64, sessionId).toString(16)}`;
}

/** The error code of an operation that was pending when the session ended. */
export function terminalCode(state: TerminalState): ZooKeeperErrorCode {
  switch (state.kind) {
    case "expired":
      return "SESSION_EXPIRED";
    case "closed":
      return "CLOSED";
    case "auth-failed":
      return state.code;
  }
}

/** The detail to report beside the code. */
export function terminalDetail(state: TerminalState): string | undefined {
  return state.kind === "closed" ? undefined : state.reason;
}

/** The error of an operation that was called after the session was over. */
export function sessionOver(state: TerminalState, operation: string, path?: string): ZooKeeperError {
  const detail = terminalDetail(state);
  return new ZooKeeperError({ code: terminalCode(state), operation, path, outcome: "not-sent", detail });
}
