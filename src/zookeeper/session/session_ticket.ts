import { noPassword, type ConnectRequest, type ConnectResponse } from "../wire/handshake_records.ts";

/** What a client presents to the next server to resume its session. */
export class SessionTicket {
  #sessionId = 0n;
  #password: Uint8Array = noPassword;
  #timeoutMs = 0;
  #readOnly = false;
  /** False for a session of a server that is cut off from its ensemble, because no other server knows it. */
  #resumable = false;
  #lastZxid = 0n;

  get sessionId(): bigint {
    return this.#sessionId;
  }

  /** Whether there is a session at all. */
  get issued(): boolean {
    return this.#sessionId !== 0n;
  }

  /** The timeout that was negotiated with the server. */
  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  get readOnly(): boolean {
    return this.#readOnly;
  }

  /** The newest zxid that we have seen; a server that has not reached it refuses us. */
  get lastZxid(): bigint {
    return this.#lastZxid;
  }

  /** To be called once the answer to an operation has been decoded completely. */
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
