import type { Dial, Wire } from "../../../src/zookeeper/dial.ts";
import { OpCode } from "../../../src/zookeeper/wire/opcodes.ts";
import type { Life } from "./life.ts";

/** Requests that change the tree; looks, watches and signs of life are no effects. */
const CHANGES: ReadonlyMap<number, string> = new Map([
  [OpCode.create, "create"],
  [OpCode.create2, "create"],
  [OpCode.delete, "delete"],
  [OpCode.setData, "set"],
  [OpCode.setAcl, "set the access of"],
  [OpCode.multi, "multi"],
  [OpCode.closeSession, "close the session"],
]);

/** Kind, whether it is the last, and an error: before each part of a multi. */
const MULTI_HEADER_BYTES = 9;

/** Connections that end with the life that made them, and whose writes to ZooKeeper may be its last. */
export function mortalDial(life: Life, dial: Dial): Dial {
  return async (address, options, events) => {
    const opening = dial(address, options, {
      data: (chunk) => life.tell(() => events.data(chunk)),
      drain: () => life.tell(() => events.drain()),
      ended: (failure) => life.tell(() => events.ended(failure)),
    });
    return mortalWire(life, await life.hearOut(opening));
  };
}

function mortalWire(life: Life, wire: Wire): Wire {
  return {
    write: (bytes) => {
      const changes = changesIn(bytes);
      if (changes.length === 0) return life.isOver ? -1 : wire.write(bytes);
      return life.act(
        "zookeeper",
        changes.join(", "),
        () => wire.write(bytes),
        -1,
        () => wire.write(bytes.subarray(0, bytes.length >> 1)),
      );
    },
    terminate: () => {
      if (!life.isOver) wire.terminate();
    },
  };
}

/** What the requests in these bytes change, in words; they begin with a frame. */
function changesIn(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: string[] = [];
  for (let at = 0; at + 12 <= bytes.length; at += 4 + Math.max(8, view.getInt32(at))) {
    // The handshake has its version where others have their number.
    if (view.getInt32(at + 4) === 0) continue;
    const code = view.getInt32(at + 8);
    const word = CHANGES.get(code);
    if (word === undefined) continue;
    switch (code) {
      case OpCode.closeSession:
        found.push(word);
        break;
      case OpCode.multi:
        found.push(`${word} at ${pathAt(bytes, view, at + 12 + MULTI_HEADER_BYTES)}`);
        break;
      default:
        found.push(`${word} ${pathAt(bytes, view, at + 12)}`);
    }
  }
  return found;
}

function pathAt(bytes: Uint8Array, view: DataView, at: number): string {
  if (at + 4 > bytes.length) return "";
  return Buffer.from(bytes.subarray(at + 4, at + 4 + view.getInt32(at))).toString();
}
