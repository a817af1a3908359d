import type { JuteReader, JuteWriter } from "./jute.ts";
import { OpCode, Xid } from "./opcodes.ts";
import { writeConnectRequest, type ConnectRequest } from "./records.ts";

export interface ReplyHeader {
  readonly xid: number;
  readonly zxid: bigint;
  /** 0, or the number of an error. */
  readonly error: number;
}

export function readReplyHeader(reader: JuteReader): ReplyHeader {
  return { xid: reader.int(), zxid: reader.long(), error: reader.int() };
}

// The writer is shared, so what leaves here is a copy.

export function connectFrame(writer: JuteWriter, request: ConnectRequest): Uint8Array {
  writeConnectRequest(writer.reset(), request);
  return Uint8Array.from(writer.written);
}

export function authFrame(writer: JuteWriter, scheme: string, credentials: string): Uint8Array {
  writer.reset().int(Xid.auth).int(OpCode.auth).int(0).string(scheme).buffer(Buffer.from(credentials));
  return Uint8Array.from(writer.written);
}

/** A step of SASL. The server answers under the same number, which no operation has. */
export function saslFrame(writer: JuteWriter, token: Uint8Array): Uint8Array {
  writer.reset().int(0).int(OpCode.sasl).buffer(token);
  return Uint8Array.from(writer.written);
}

export const pingFrame: Uint8Array = Buffer.from([0xff, 0xff, 0xff, 0xfe, 0, 0, 0, OpCode.ping]);
