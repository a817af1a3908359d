import { noPassword, type ConnectRequest, type ConnectResponse } from "../wire/handshake_records.ts";

/** What a session's client shows to the next server to get the session back. */
export class SessionTicket {
  #sessionId = 0n;
  #password: Uint8Array = noPassword;
  #timeoutMs = 0;
  #readOnly = false;
  /** What a server without its ensemble gives is no session that another server knows. */
  #resumable = false;
  #lastZxid = 0n;

  get sessionId(): bigint {
    return this.#sessionId;
  }

  /** Whether there is a session at all. */
  get issued(): boolean {
    return this.#sessionId !== 0n;
  }

  /** As it was negotiated. */
  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  get readOnly(): boolean {
    return this.#readOnly;
  }

  /** The newest transaction that a server has shown us; one that has not come so far refuses us. */
  get lastZxid(): bigint {
    return this.#lastZxid;
  }

  /** For the answer to an operation that was asked, once it has been read whole. */
  saw(zxid: bigint): void {
    if (zxid > this.#lastZxid) this.#lastZxid = zxid;
  }

  request(timeoutMs: number, readOnly: boolean): ConnectRequest {
    return {
      lastZxidSeen: this.#lastZxid,
      timeoutMs,
      sessionId: this.#resumable ? this.#sessionId : 0n,
      password: this.#resumable ? this.#password : noPassword,
      readOnly,
    };
  }

  granted(response: ConnectResponse): void {
    this.#sessionId = response.sessionId;
    this.#password = response.password;
    this.#timeoutMs = response.timeoutMs;
    this.#readOnly = response.readOnly;
    this.#resumable ||= !response.readOnly;
  }
}
