import { errorCode, ZooKeeperError } from "../errors.ts";
import { MalformedRecord, type JuteReader } from "./jute.ts";
import { OpCode } from "./opcodes.ts";
import type { Chroot } from "./node_paths.ts";
import { readStat } from "./node_records.ts";
import type { Stat } from "../znode.ts";
import type { Request } from "./requests.ts";

/** One read of a `multiRead`; made by `read.get` and `read.children`. */
export type ReadOp = { readonly type: "get" | "children"; readonly path: string };

/** Each read succeeds or fails by itself. The server sends no stat with children here. */
export type ReadResult =
  | { readonly type: "get"; readonly data: Uint8Array; readonly stat: Stat }
  | { readonly type: "children"; readonly children: string[] }
  | { readonly type: "error"; readonly error: ZooKeeperError };

/** Reads for `multiRead`. */
export const read = {
  get: (path: string): ReadOp => ({ type: "get", path }),
  children: (path: string): ReadOp => ({ type: "children", path }),
};

export function multiReadRequest(ops: readonly ReadOp[], chroot: Chroot): Request<ReadResult[]> {
  return {
    opcode: OpCode.multiRead,
    operation: "multiRead",
    write: false,
    encode: (writer) => {
      for (const { type, path } of ops) {
        writer
          .int(type === "get" ? OpCode.getData : OpCode.getChildren)
          .bool(false)
          .int(-1);
        // No watches are requested: the server would set them without saying for which of the reads.
        writer.string(chroot.toServer(path)).bool(false);
      }
      writer.int(-1).bool(true).int(-1);
    },
    decode: (reader) => decodeResults(reader, ops),
  };
}

function decodeResults(reader: JuteReader, ops: readonly ReadOp[]): ReadResult[] {
  const results: ReadResult[] = [];
  for (let index = 0; ; index += 1) {
    const type = reader.int();
    const done = reader.bool();
    reader.int();
    if (done) break;
    results.push(decodeResult(reader, type, index, ops[index]?.path));
  }
  if (results.length !== ops.length) {
    throw new MalformedRecord(`${ops.length} reads were asked and ${results.length} are answered`);
  }
  return results;
}

function decodeResult(reader: JuteReader, type: number, index: number, path: string | undefined): ReadResult {
  switch (type) {
    case OpCode.getData:
      return { type: "get", data: reader.buffer() ?? new Uint8Array(0), stat: readStat(reader) };
    case OpCode.getChildren:
      return { type: "children", children: reader.strings() };
    case OpCode.error: {
      const code = errorCode(reader.int());
      return {
        type: "error",
        error: new ZooKeeperError({ code, operation: "multiRead", outcome: "refused", path, index }),
      };
    }
    default:
      throw new MalformedRecord(`a read was answered by a result of type ${type}`);
  }
}
