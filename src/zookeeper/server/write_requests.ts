import { errorNumber } from "../errors.ts";
import type { JuteReader, JuteWriter } from "../jute.ts";
import { createModeOf, isSequential, OpCode } from "../opcodes.ts";
import { readAcls, writeStat } from "../records.ts";
import type { Caller, Database } from "./database.ts";
import { Refusal } from "./refusal.ts";
import { statOf, type Actor, type Lifetime, type Tree } from "./tree.ts";

/** Writes the record of an answer. */
export type Answer = (writer: JuteWriter) => void;

/** A change that has been read and can be applied, inside a transaction. */
type Step = (tree: Tree, actor: Actor) => Answer;

const noRecord: Answer = () => undefined;
const maxTtlMs = 0xff_ffff_ffff;

/** Carries out a request that changes the tree; undefined when `opcode` is none. */
export function writeRequest(
  opcode: number,
  reader: JuteReader,
  database: Database,
  caller: Caller,
): Answer | undefined {
  if (opcode === OpCode.multi) return multi(reader, database, caller);
  const step = readStep(opcode, reader);
  return step === undefined ? undefined : database.write(caller, (actor) => step(database.tree, actor));
}

function readStep(opcode: number, reader: JuteReader): Step | undefined {
  switch (opcode) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTtl:
      return createStep(opcode, reader);
    case OpCode.delete: {
      const path = reader.string();
      const version = reader.int();
      return (tree, actor) => {
        tree.delete(path, version, actor);
        return noRecord;
      };
    }
    case OpCode.setData: {
      const path = reader.string();
      const data = reader.buffer();
      const version = reader.int();
      return (tree, actor) => {
        const stat = statOf(tree.setData(path, data, version, actor));
        return (writer) => writeStat(writer, stat);
      };
    }
    case OpCode.setAcl: {
      const path = reader.string();
      const acl = readAcls(reader);
      const version = reader.int();
      return (tree, actor) => {
        const stat = statOf(tree.setAcl(path, acl, version, actor));
        return (writer) => writeStat(writer, stat);
      };
    }
    case OpCode.check: {
      const path = reader.string();
      const version = reader.int();
      return (tree, actor) => {
        tree.check(path, version, actor);
        return noRecord;
      };
    }
    default:
      return undefined;
  }
}

function createStep(opcode: number, reader: JuteReader): Step {
  const path = reader.string();
  const data = reader.buffer();
  const acl = readAcls(reader);
  const mode = createModeOf(reader.int());
  const ttlMs = opcode === OpCode.createTtl ? Number(reader.long()) : undefined;
  return (tree, actor) => {
    if (mode === undefined) throw new Refusal("BAD_ARGUMENTS");
    const lifetime = lifetimeOf(mode, ttlMs, actor.sessionId);
    const created = tree.create({ path, data, acl, lifetime, sequential: isSequential(mode) }, actor);
    const stat = statOf(tree.get(created));
    return (writer) => {
      writer.string(created);
      if (opcode !== OpCode.create) writeStat(writer, stat);
    };
  };
}

function lifetimeOf(mode: string, ttlMs: number | undefined, sessionId: bigint): Lifetime {
  if (mode.endsWith("ttl")) {
    if (ttlMs === undefined || ttlMs <= 0 || ttlMs > maxTtlMs) throw new Refusal("BAD_ARGUMENTS");
    return { kind: "ttl", ttlMs };
  }
  if (mode.startsWith("ephemeral")) return { kind: "ephemeral", sessionId };
  return mode === "container" ? { kind: "container" } : { kind: "persistent" };
}

/** Answers a refused multi as Apache does: no error in the header, one error result for each operation. */
function multi(reader: JuteReader, database: Database, caller: Caller): Answer {
  const steps: { readonly type: number; readonly step: Step }[] = [];
  for (;;) {
    const type = reader.int();
    const done = reader.bool();
    reader.int();
    if (done) break;
    // In a multi, 3.8 answers every plain create without a stat.
    const answered = type === OpCode.create2 ? OpCode.create : type;
    const step = readStep(answered, reader);
    if (step === undefined || type === OpCode.setAcl) throw new Refusal("MARSHALLING_ERROR");
    steps.push({ type: answered, step });
  }
  let reached = 0;
  try {
    const answers = database.write(caller, (actor) =>
      steps.map(({ step }, index) => {
        reached = index;
        return step(database.tree, actor);
      }),
    );
    return (writer) => {
      steps.forEach(({ type }, index) => {
        writer.int(type).bool(false).int(0);
        answers[index]?.(writer);
      });
      endOfMulti(writer);
    };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return (writer) => {
      steps.forEach((_, index) => {
        const code = index < reached ? 0 : errorNumber(index === reached ? error.code : "RUNTIME_INCONSISTENCY");
        writer.int(OpCode.error).bool(false).int(code).int(code);
      });
      endOfMulti(writer);
    };
  }
}

function endOfMulti(writer: JuteWriter): void {
  writer.int(-1).bool(true).int(-1);
}
