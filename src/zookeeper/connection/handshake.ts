import { SaslFailure, type DigestMd5 } from "./digest_md5.ts";
import { errorCode } from "../errors.ts";
import { MalformedRecord, type JuteReader, type JuteWriter } from "../wire/jute.ts";
import { connectFrame, readReplyHeader, saslFrame } from "../wire/packets.ts";
import { readConnectResponse, type ConnectRequest, type ConnectResponse } from "../wire/handshake_records.ts";
import { sessionName, type TerminalState } from "../state.ts";

const replyHeaderBytes = 16;

export interface HandshakeEvents {
  /** The server created a session, or resumed the requested one. It may still refuse our identity. */
  granted(response: ConnectResponse): void;
  /** Anything may be sent now. */
  ready(): void;
  refused(state: TerminalState): void;
}

/** The exchange on a new connection before anything else may be sent: the session's handshake, then SASL if configured. */
export class Handshake {
  readonly #writer: JuteWriter;
  readonly #send: (body: Uint8Array) => void;
  readonly #request: ConnectRequest;
  readonly #sasl: DigestMd5 | undefined;
  readonly #events: HandshakeEvents;
  #granted = false;

  constructor(
    writer: JuteWriter,
    send: (body: Uint8Array) => void,
    request: ConnectRequest,
    sasl: DigestMd5 | undefined,
    events: HandshakeEvents,
  ) {
    this.#writer = writer;
    this.#send = send;
    this.#request = request;
    this.#sasl = sasl;
    this.#events = events;
  }

  start(): void {
    this.#send(connectFrame(this.#writer, this.#request));
  }

  /** @throws MalformedRecord */
  received(reader: JuteReader): void {
    if (this.#granted) this.#saslAnswer(reader);
    else this.#sessionAnswer(reader);
  }

  #sessionAnswer(reader: JuteReader): void {
    if (reader.remaining === replyHeaderBytes) {
      // A read-only server without local sessions answers like this: with an error in place of a session.
      throw new MalformedRecord(`the server gave no session: ${errorCode(readReplyHeader(reader).error)}`);
    }
    const response = readConnectResponse(reader);
    const { sessionId: asked } = this.#request;
    if (asked !== 0n && response.timeoutMs <= 0) {
      this.#events.refused({ kind: "expired", reason: "the server does not know it any more" });
      return;
    }
    if (response.timeoutMs <= 0 || response.sessionId === 0n) {
      throw new MalformedRecord(
        `the server gave no session: id ${sessionName(response.sessionId)}, timeout ${response.timeoutMs} ms`,
      );
    }
    if (asked !== 0n && response.sessionId !== asked) {
      const given = `${sessionName(response.sessionId)} instead of ${sessionName(asked)}`;
      this.#events.refused({ kind: "expired", reason: `the server gave session ${given}` });
      return;
    }
    this.#granted = true;
    this.#events.granted(response);
    if (this.#sasl === undefined) this.#events.ready();
    // In this mechanism the server sends first: the client begins with an empty token.
    else this.#send(saslFrame(this.#writer, new Uint8Array(0)));
  }

  #saslAnswer(reader: JuteReader): void {
    const { error } = readReplyHeader(reader);
    if (error !== 0) {
      this.#refused(`the server refused the SASL credentials (${errorCode(error)})`);
      return;
    }
    const token = reader.buffer();
    if (token === null) {
      this.#refused("the server is not set up for SASL");
      return;
    }
    try {
      const answer = this.#sasl?.answer(token);
      if (answer instanceof Uint8Array) this.#send(saslFrame(this.#writer, answer));
      else this.#events.ready();
    } catch (failure) {
      if (!(failure instanceof SaslFailure)) throw failure;
      this.#refused(`SASL failed: ${failure.message}`);
    }
  }

  #refused(reason: string): void {
    this.#events.refused({ kind: "auth-failed", code: "AUTH_FAILED", reason });
  }
}
