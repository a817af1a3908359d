import { MalformedRecord, type JuteReader, type JuteWriter } from "./jute.ts";

export interface ConnectRequest {
  readonly lastZxidSeen: bigint;
  readonly timeoutMs: number;
  readonly sessionId: bigint;
  readonly password: Uint8Array;
  readonly readOnly: boolean;
}

export interface ConnectResponse {
  /** 0 or less if the session is gone. */
  readonly timeoutMs: number;
  readonly sessionId: bigint;
  readonly password: Uint8Array;
  readonly readOnly: boolean;
}

export const noPassword: Uint8Array = new Uint8Array(16);

export function writeConnectRequest(writer: JuteWriter, request: ConnectRequest): void {
  writer
    .int(0)
    .long(request.lastZxidSeen)
    .int(request.timeoutMs)
    .long(request.sessionId)
    .buffer(request.password)
    .bool(request.readOnly);
}

/** Clients before 3.4 end the record before `readOnly`, and expect the same in the answer. */
export function readConnectRequest(reader: JuteReader): ConnectRequest & { readonly knowsReadOnly: boolean } {
  reader.int();
  return {
    lastZxidSeen: reader.long(),
    timeoutMs: reader.int(),
    sessionId: reader.long(),
    password: reader.buffer() ?? noPassword,
    knowsReadOnly: reader.remaining > 0,
    readOnly: reader.remaining > 0 && reader.bool(),
  };
}

export function writeConnectResponse(writer: JuteWriter, response: ConnectResponse, withReadOnly = true): void {
  writer.int(0).int(response.timeoutMs).long(response.sessionId).buffer(response.password);
  if (withReadOnly) writer.bool(response.readOnly);
}

/** @throws MalformedRecord if it is not exactly a handshake record */
export function readConnectResponse(reader: JuteReader): ConnectResponse {
  const protocol = reader.int();
  const response = {
    timeoutMs: reader.int(),
    sessionId: reader.long(),
    password: reader.buffer() ?? noPassword,
    // Servers before 3.4 end the record here.
    readOnly: reader.remaining > 0 && reader.bool(),
  };
  if (protocol !== 0 || reader.remaining > 0) {
    throw new MalformedRecord(`a handshake of protocol ${protocol} has ${reader.remaining} bytes too many`);
  }
  return response;
}
