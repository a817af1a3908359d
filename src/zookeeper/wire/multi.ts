import { errorCode, ZooKeeperError } from "../errors.ts";
import type { JuteReader, JuteWriter } from "./jute.ts";
import { OpCode, type CreateMode } from "./opcodes.ts";
import type { Chroot } from "./node_paths.ts";
import { readStat } from "./node_records.ts";
import { openAcl, type Acl, type Stat } from "../znode.ts";
import { createOpcode, encodeCreate, type Request } from "./requests.ts";

/** One operation of a `multi`; made by `op.create`, `op.set`, `op.delete`, `op.check`. */
export type Op =
  | {
      readonly type: "create";
      readonly path: string;
      readonly data: Uint8Array | string | null;
      readonly mode: CreateMode;
      readonly acl: readonly Acl[];
      readonly ttlMs: number | undefined;
    }
  | { readonly type: "set"; readonly path: string; readonly data: Uint8Array | string; readonly version: number }
  | { readonly type: "delete"; readonly path: string; readonly version: number }
  | { readonly type: "check"; readonly path: string; readonly version: number };

export type OpResult =
  /** Servers before 3.9 omit the stat. */
  | { readonly type: "create"; readonly path: string; readonly stat: Stat | null }
  | { readonly type: "set"; readonly stat: Stat }
  | { readonly type: "delete" }
  | { readonly type: "check" };

export interface CreateOpOptions {
  readonly mode?: CreateMode;
  readonly acl?: readonly Acl[];
  readonly ttlMs?: number;
}

/** Operations for `multi`. A version of -1 means any. */
export const op = {
  create: (path: string, data: Uint8Array | string | null = null, options: CreateOpOptions = {}): Op => ({
    type: "create",
    path,
    data,
    mode: options.mode ?? "persistent",
    acl: options.acl ?? openAcl,
    ttlMs: options.ttlMs,
  }),
  set: (path: string, data: Uint8Array | string, version = -1): Op => ({ type: "set", path, data, version }),
  delete: (path: string, version = -1): Op => ({ type: "delete", path, version }),
  /** Checks that the node exists and has this data version (-1: only that it exists). */
  check: (path: string, version = -1): Op => ({ type: "check", path, version }),
};

export function bytesOf(data: Uint8Array | string): Uint8Array {
  return typeof data === "string" ? Buffer.from(data) : data;
}

export function multiRequest(ops: readonly Op[], chroot: Chroot): Request<OpResult[]> {
  return {
    opcode: OpCode.multi,
    operation: "multi",
    write: true,
    encode: (writer) => {
      for (const each of ops) encodeOp(writer, each, chroot.toServer(each.path));
      writeHeader(writer, -1, true);
    },
    decode: (reader) => decodeResults(reader, ops, chroot),
  };
}

function writeHeader(writer: JuteWriter, type: number, done: boolean): void {
  writer.int(type).bool(done).int(-1);
}

function encodeOp(writer: JuteWriter, each: Op, onServer: string): void {
  switch (each.type) {
    case "create": {
      const data = each.data === null ? null : bytesOf(each.data);
      writeHeader(writer, createOpcode(each.mode), false);
      encodeCreate(writer, onServer, { data, mode: each.mode, acl: each.acl, ttlMs: each.ttlMs });
      return;
    }
    case "set":
      writeHeader(writer, OpCode.setData, false);
      writer.string(onServer).buffer(bytesOf(each.data)).int(each.version);
      return;
    case "delete":
      writeHeader(writer, OpCode.delete, false);
      writer.string(onServer).int(each.version);
      return;
    case "check":
      writeHeader(writer, OpCode.check, false);
      writer.string(onServer).int(each.version);
      return;
  }
}

/**
 * A refused multi answers one error per operation: 0 for those before the culprit, its own code for the culprit, and
 * RUNTIME_INCONSISTENCY for those after it.
 */
function decodeResults(reader: JuteReader, ops: readonly Op[], chroot: Chroot): OpResult[] {
  const results: OpResult[] = [];
  for (let index = 0; ; index += 1) {
    const type = reader.int();
    const done = reader.bool();
    reader.int();
    if (done) return results;
    switch (type) {
      case OpCode.create:
        results.push({ type: "create", path: chroot.toClient(reader.string()), stat: null });
        break;
      case OpCode.create2:
      case OpCode.createTtl:
      case OpCode.createContainer:
        results.push({ type: "create", path: chroot.toClient(reader.string()), stat: readStat(reader) });
        break;
      case OpCode.setData:
        results.push({ type: "set", stat: readStat(reader) });
        break;
      case OpCode.delete:
        results.push({ type: "delete" });
        break;
      case OpCode.check:
        results.push({ type: "check" });
        break;
      case OpCode.error: {
        const number = reader.int();
        if (number === 0) break;
        const path = ops[index]?.path;
        throw new ZooKeeperError({ code: errorCode(number), operation: "multi", outcome: "refused", path, index });
      }
      default:
        throw new ZooKeeperError({
          code: "MARSHALLING_ERROR",
          operation: "multi",
          outcome: "unknown",
          detail: `the answer has a result of type ${type}`,
        });
    }
  }
}
