import type { ProvedId } from "./access.ts";
import type { Write } from "./writes.ts";

/** A session as its client knows it. */
export interface SessionFacts {
  readonly id: bigint;
  readonly password: Uint8Array;
  readonly timeoutMs: number;
}

/**
 * A request that changes something. It contains everything that its outcome depends on, so every replica that applies it
 * gets the same result.
 */
export type WriteRequest =
  | { readonly kind: "write"; readonly sessionId: bigint; readonly ids: readonly ProvedId[]; readonly write: Write }
  | { readonly kind: "open-session"; readonly session: SessionFacts }
  | { readonly kind: "close-session"; readonly sessionId: bigint }
  /** Removes a node whose TTL has passed, or an empty container. */
  | { readonly kind: "reap"; readonly path: string };

/** A request with its place in the total order of all changes. */
export interface Transaction {
  readonly zxid: bigint;
  /** Milliseconds since 1970, by the clock of the server that ordered it. */
  readonly time: number;
  readonly request: WriteRequest;
}
