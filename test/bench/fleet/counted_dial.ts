import type { Dial } from "../../../src/zookeeper/dial.ts";
import { intAt, JuteReader, prefixBytes } from "../../../src/zookeeper/wire/jute.ts";
import { OpCode } from "../../../src/zookeeper/wire/opcodes.ts";

/** A request as it left, or one operation of a `multi` or `multiRead`. */
export interface Sent {
  readonly opcode: number;
  /** On the server, with the chroot. */
  readonly path: string;
}

export interface SentRequest extends Sent {
  /** What a `multi` or `multiRead` consists of; empty for others. */
  readonly parts: readonly Sent[];
}

const headerBytes = 8;
/** Requests without a path. */
const pathless: ReadonlySet<number> = new Set([OpCode.ping, OpCode.closeSession, OpCode.auth, OpCode.setWatches2]);

/** Connects as `dial` does, and tells of each request that leaves; the handshake is none. */
export function countedDial(dial: Dial, onRequest: (request: SentRequest) => void): Dial {
  return async (address, options, events) => {
    const wire = await dial(address, options, events);
    let pending: Buffer = Buffer.alloc(0);
    let isGreeted = false;
    const take = (sent: Buffer): void => {
      pending = pending.length === 0 ? sent : Buffer.concat([pending, sent]);
      let at = 0;
      while (pending.length - at >= prefixBytes) {
        const end = at + prefixBytes + intAt(pending, at);
        if (end > pending.length) break;
        if (isGreeted) onRequest(requestIn(pending, at + prefixBytes, end));
        isGreeted = true;
        at = end;
      }
      // The client may use the bytes that it has handed over for something else.
      pending = Buffer.from(pending.subarray(at));
    };
    return {
      terminate: () => wire.terminate(),
      write: (bytes) => {
        const written = wire.write(bytes);
        if (written > 0) take(Buffer.from(bytes.buffer, bytes.byteOffset, written));
        return written;
      },
    };
  };
}

function requestIn(bytes: Buffer, start: number, end: number): SentRequest {
  const opcode = intAt(bytes, start + 4);
  if (pathless.has(opcode)) return { opcode, path: "", parts: [] };
  const reader = new JuteReader(bytes, start + headerBytes, end);
  if (opcode === OpCode.multi || opcode === OpCode.multiRead) return { opcode, path: "", parts: partsIn(reader) };
  return { opcode, path: opcode === OpCode.setWatches ? "" : reader.string(), parts: [] };
}

function partsIn(reader: JuteReader): Sent[] {
  const parts: Sent[] = [];
  for (;;) {
    const opcode = reader.int();
    const isDone = reader.bool();
    reader.int();
    if (isDone) return parts;
    parts.push({ opcode, path: reader.string() });
    skipRest(reader, opcode);
  }
}

/** What comes after the path. */
function skipRest(reader: JuteReader, opcode: number): void {
  switch (opcode) {
    case OpCode.getData:
    case OpCode.getChildren:
      reader.bool();
      return;
    case OpCode.setData:
      reader.buffer();
      reader.int();
      return;
    case OpCode.check:
    case OpCode.delete:
      reader.int();
      return;
    case OpCode.create:
    case OpCode.create2:
      reader.buffer();
      for (let left = reader.int(); left > 0; left -= 1) {
        reader.int();
        reader.string();
        reader.string();
      }
      reader.int();
      return;
    default:
      throw new Error(`a part of a multi has the type ${opcode}, which this bench does not know`);
  }
}
