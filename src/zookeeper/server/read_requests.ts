import { errorNumber } from "../errors.ts";
import type { JuteReader } from "../wire/jute.ts";
import { OpCode } from "../wire/opcodes.ts";
import { writeAcls, writeStat } from "../wire/node_records.ts";
import { Perms } from "../znode.ts";
import { mayAdminister, requirePermission, withoutHashes } from "./access.ts";
import type { Caller, Database } from "./database.ts";
import { Refusal, type ReplyRecord } from "./reply.ts";
import { statOf, type TreeNode } from "./tree.ts";

/** Carries out a request that reads the tree; undefined if `opcode` is not one. */
export function readRequest(
  opcode: number,
  reader: JuteReader,
  database: Database,
  caller: Caller,
): ReplyRecord | undefined {
  const { tree, watches } = database;
  const readable = (path: string, perms: number = Perms.read): TreeNode => {
    const node = tree.get(path);
    requirePermission(node.acl, perms, caller.ids);
    return node;
  };
  switch (opcode) {
    case OpCode.exists: {
      const path = reader.string();
      // A watch on a node that does not exist waits for its creation.
      if (reader.bool()) watches.data.add(path, caller, "one-shot");
      const stat = statOf(tree.get(path));
      return (writer) => writeStat(writer, stat);
    }
    case OpCode.getData: {
      const path = reader.string();
      const watch = reader.bool();
      const node = readable(path);
      if (watch) watches.data.add(path, caller, "one-shot");
      return (writer) => writeStat(writer.buffer(node.data), statOf(node));
    }
    case OpCode.getChildren:
    case OpCode.getChildren2: {
      const path = reader.string();
      const watch = reader.bool();
      const node = readable(path);
      if (watch) watches.children.add(path, caller, "one-shot");
      return (writer) => {
        writer.strings([...node.children]);
        if (opcode === OpCode.getChildren2) writeStat(writer, statOf(node));
      };
    }
    case OpCode.getAcl: {
      const node = readable(reader.string(), Perms.read | Perms.admin);
      const acl = mayAdminister(node.acl, caller.ids) ? node.acl : withoutHashes(node.acl);
      return (writer) => {
        writeAcls(writer, acl);
        writeStat(writer, statOf(node));
      };
    }
    case OpCode.getAllChildrenNumber: {
      const path = reader.string();
      readable(path);
      const prefix = path === "/" ? "/" : `${path}/`;
      let count = path === "/" ? -1 : 0;
      for (const [each] of tree.entries()) if (each.startsWith(prefix)) count += 1;
      return (writer) => writer.int(count);
    }
    case OpCode.getEphemerals: {
      const prefix = reader.string();
      const owned = tree.ephemeralsOf(caller.session.id).filter((path) => path.startsWith(prefix));
      return (writer) => writer.strings(owned);
    }
    case OpCode.whoAmI:
      return (writer) => {
        writer.int(caller.ids.length);
        for (const { scheme, id } of caller.ids) {
          writer.string(scheme).string(scheme === "digest" ? (id.split(":", 1)[0] ?? "") : id);
        }
      };
    case OpCode.multiRead:
      return multiRead(reader, database, caller);
    case OpCode.reconfig:
      throw new Refusal("RECONFIG_DISABLED");
    default:
      return undefined;
  }
}

/** Each read is answered by its record, or by its own error. */
function multiRead(reader: JuteReader, database: Database, caller: Caller): ReplyRecord {
  const answers: ReplyRecord[] = [];
  for (;;) {
    const type = reader.int();
    const done = reader.bool();
    reader.int();
    if (done) break;
    if (type !== OpCode.getData && type !== OpCode.getChildren) throw new Refusal("MARSHALLING_ERROR");
    answers.push(oneOfMany(type, reader, database, caller));
  }
  return (writer) => {
    for (const answer of answers) answer(writer);
    writer.int(-1).bool(true).int(-1);
  };
}

function oneOfMany(type: number, reader: JuteReader, database: Database, caller: Caller): ReplyRecord {
  try {
    const answer = readRequest(type, reader, database, caller);
    return (writer) => {
      writer.int(type).bool(false).int(0);
      answer?.(writer);
    };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const code = errorNumber(error.code);
    return (writer) => writer.int(OpCode.error).bool(false).int(code).int(code);
  }
}
