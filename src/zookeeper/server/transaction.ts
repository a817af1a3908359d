import type { ProvedId } from "./access.ts";
import type { Write } from "./writes.ts";

/** A session as its client knows it. */
export interface SessionFacts {
  readonly id: bigint;
  readonly password: Uint8Array;
  readonly timeoutMs: number;
}

/**
 * A request that changes something. All that its outcome depends on is in it, so every replica that carries it out ends
 * the same.
 */
export type WriteRequest =
  | { readonly kind: "write"; readonly sessionId: bigint; readonly ids: readonly ProvedId[]; readonly write: Write }
  | { readonly kind: "open-session"; readonly session: SessionFacts }
  | { readonly kind: "close-session"; readonly sessionId: bigint }
  /** Removes a node whose time is over. */
  | { readonly kind: "reap"; readonly path: string };

/** A request in its place in the one order of all changes. */
export interface Transaction {
  readonly zxid: bigint;
  /** Milliseconds since 1970, by the clock of whoever put it in order. */
  readonly time: number;
  readonly request: WriteRequest;
}
