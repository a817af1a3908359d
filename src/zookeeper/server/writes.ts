import { errorNumber } from "../errors.ts";
import type { JuteReader, JuteWriter } from "../wire/jute.ts";
import { createModeOf, isSequential, OpCode, type CreateMode } from "../wire/opcodes.ts";
import { readAcls, writeStat } from "../wire/node_records.ts";
import type { Acl } from "../znode.ts";
import { Refusal, type ReplyRecord } from "./reply.ts";
import { statOf, type Actor, type NodeChange, type Lifetime, type Tree } from "./tree.ts";

/** One change of one node, or a version check. */
type Edit =
  | {
      readonly kind: "create";
      readonly opcode: number;
      readonly path: string;
      readonly data: Uint8Array | null;
      readonly acl: readonly Acl[];
      /** Undefined when the client sent a mode that does not exist. */
      readonly mode: CreateMode | undefined;
      readonly ttlMs: number | undefined;
    }
  | { readonly kind: "delete"; readonly opcode: number; readonly path: string; readonly version: number }
  | {
      readonly kind: "set";
      readonly opcode: number;
      readonly path: string;
      readonly data: Uint8Array | null;
      readonly version: number;
    }
  | {
      readonly kind: "set-acl";
      readonly opcode: number;
      readonly path: string;
      readonly acl: readonly Acl[];
      readonly version: number;
    }
  | { readonly kind: "check"; readonly opcode: number; readonly path: string; readonly version: number };

/** A request that changes the tree, as it was decoded. */
export type Write = Edit | { readonly kind: "multi"; readonly edits: readonly Edit[] };

const noRecord: ReplyRecord = () => undefined;
const maxTtlMs = 0xff_ffff_ffff;

/**
 * Decodes a request that changes the tree; undefined if `opcode` is not one.
 * @throws Refusal MARSHALLING_ERROR for an operation that is not allowed in a multi
 */
export function readWrite(opcode: number, reader: JuteReader): Write | undefined {
  return opcode === OpCode.multi ? readMulti(reader) : readEdit(opcode, reader);
}

function readEdit(opcode: number, reader: JuteReader): Edit | undefined {
  switch (opcode) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTtl: {
      const [path, data, acl, mode] = [reader.string(), reader.buffer(), readAcls(reader), createModeOf(reader.int())];
      const ttlMs = opcode === OpCode.createTtl ? Number(reader.long()) : undefined;
      return { kind: "create", opcode, path, data, acl, mode, ttlMs };
    }
    case OpCode.delete:
      return { kind: "delete", opcode, path: reader.string(), version: reader.int() };
    case OpCode.setData:
      return { kind: "set", opcode, path: reader.string(), data: reader.buffer(), version: reader.int() };
    case OpCode.setAcl:
      return { kind: "set-acl", opcode, path: reader.string(), acl: readAcls(reader), version: reader.int() };
    case OpCode.check:
      return { kind: "check", opcode, path: reader.string(), version: reader.int() };
    default:
      return undefined;
  }
}

function readMulti(reader: JuteReader): Write {
  const edits: Edit[] = [];
  for (;;) {
    const type = reader.int();
    const done = reader.bool();
    reader.int();
    if (done) return { kind: "multi", edits };
    // In a multi, 3.8 answers every plain create without a stat.
    const edit = readEdit(type === OpCode.create2 ? OpCode.create : type, reader);
    if (edit === undefined || edit.kind === "set-acl") throw new Refusal("MARSHALLING_ERROR");
    edits.push(edit);
  }
}

/**
 * Changes the tree, atomically.
 * @returns the reply, and what watchers must be told
 * @throws Refusal if nothing was changed; a refused multi is answered with a normal reply instead
 */
export function carryOut(
  write: Write,
  tree: Tree,
  actor: Actor,
): { readonly value: ReplyRecord; readonly changes: readonly NodeChange[] } {
  return write.kind === "multi" ? multi(write.edits, tree, actor) : tree.transact(() => edit(write, tree, actor));
}

function edit(each: Edit, tree: Tree, actor: Actor): ReplyRecord {
  switch (each.kind) {
    case "create": {
      const { path, data, acl, mode, ttlMs } = each;
      if (mode === undefined) throw new Refusal("BAD_ARGUMENTS");
      const lifetime = lifetimeOf(mode, ttlMs, actor.sessionId);
      const created = tree.create({ path, data, acl, lifetime, sequential: isSequential(mode) }, actor);
      const stat = statOf(tree.get(created));
      return (writer) => {
        writer.string(created);
        if (each.opcode !== OpCode.create) writeStat(writer, stat);
      };
    }
    case "delete":
      tree.delete(each.path, each.version, actor);
      return noRecord;
    case "set": {
      const stat = statOf(tree.setData(each.path, each.data, each.version, actor));
      return (writer) => writeStat(writer, stat);
    }
    case "set-acl": {
      const stat = statOf(tree.setAcl(each.path, each.acl, each.version, actor));
      return (writer) => writeStat(writer, stat);
    }
    case "check":
      tree.check(each.path, each.version, actor);
      return noRecord;
  }
}

function lifetimeOf(mode: string, ttlMs: number | undefined, sessionId: bigint): Lifetime {
  if (mode.endsWith("ttl")) {
    if (ttlMs === undefined || ttlMs <= 0 || ttlMs > maxTtlMs) throw new Refusal("BAD_ARGUMENTS");
    return { kind: "ttl", ttlMs };
  }
  if (mode.startsWith("ephemeral")) return { kind: "ephemeral", sessionId };
  return mode === "container" ? { kind: "container" } : { kind: "persistent" };
}

/** Answers a refused multi as Apache does: no error in the header, and one error result per operation. */
function multi(
  edits: readonly Edit[],
  tree: Tree,
  actor: Actor,
): { readonly value: ReplyRecord; readonly changes: readonly NodeChange[] } {
  let reached = 0;
  try {
    const { value: answers, changes } = tree.transact(() =>
      edits.map((each, index) => {
        reached = index;
        return edit(each, tree, actor);
      }),
    );
    const value: ReplyRecord = (writer) => {
      edits.forEach(({ opcode }, index) => {
        writer.int(opcode).bool(false).int(0);
        answers[index]?.(writer);
      });
      endOfMulti(writer);
    };
    return { value, changes };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const value: ReplyRecord = (writer) => {
      edits.forEach((_, index) => {
        const code = index < reached ? 0 : errorNumber(index === reached ? error.code : "RUNTIME_INCONSISTENCY");
        writer.int(OpCode.error).bool(false).int(code).int(code);
      });
      endOfMulti(writer);
    };
    return { value, changes: [] };
  }
}

function endOfMulti(writer: JuteWriter): void {
  writer.int(-1).bool(true).int(-1);
}
