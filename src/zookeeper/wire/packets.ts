import { JuteWriter, type JuteReader } from "./jute.ts";
import { OpCode, Xid } from "./opcodes.ts";
import { writeConnectRequest, type ConnectRequest } from "./handshake_records.ts";

export interface ReplyHeader {
  readonly xid: number;
  readonly zxid: bigint;
  /** 0, or the number of an error. */
  readonly error: number;
}

export function readReplyHeader(reader: JuteReader): ReplyHeader {
  return { xid: reader.int(), zxid: reader.long(), error: reader.int() };
}

export function connectFrame(writer: JuteWriter, request: ConnectRequest): Uint8Array {
  writeConnectRequest(writer.reset(), request);
  return writer.frame();
}

export function authFrame(writer: JuteWriter, scheme: string, credentials: string): Uint8Array {
  writer.reset().int(Xid.auth).int(OpCode.auth).int(0).string(scheme).buffer(Buffer.from(credentials));
  return writer.frame();
}

/** A SASL packet. The server answers with the same xid, which no operation has. */
export function saslFrame(writer: JuteWriter, token: Uint8Array): Uint8Array {
  writer.reset().int(0).int(OpCode.sasl).buffer(token);
  return writer.frame();
}

export const pingFrame: Uint8Array = new JuteWriter().int(Xid.ping).int(OpCode.ping).frame();
