import type { ServerErrorCode } from "../errors.ts";

interface FaultSubject {
  readonly opcode: number;
  readonly path: string | undefined;
  readonly sessionId: bigint;
}

/** Injected faults. The fields may be set while the server runs. */
export interface Faults {
  /** New connections are closed at once. */
  refuse: boolean;
  /** Requests are carried out but not answered, not even the handshake or a ping. */
  dropReplies: boolean;
  /** Every packet to a client is delayed by this long, in milliseconds. */
  delayMs: number;
  /** An error to answer with instead of carrying out the request. */
  failOperation: ((subject: FaultSubject) => ServerErrorCode | undefined) | undefined;
}

export function noFaults(): Faults {
  return { refuse: false, dropReplies: false, delayMs: 0, failOperation: undefined };
}
