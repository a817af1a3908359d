import type { JuteReader } from "../wire/jute.ts";
import { EventType, OpCode, WatcherType } from "../wire/opcodes.ts";
import type { Caller, Database } from "./database.ts";
import { Refusal, type ReplyRecord } from "./reply.ts";

const noRecord: ReplyRecord = () => undefined;

/** Carries out a request about watches; undefined if `opcode` is not one. */
export function watchRequest(
  opcode: number,
  reader: JuteReader,
  database: Database,
  caller: Caller,
): ReplyRecord | undefined {
  const { watches } = database;
  switch (opcode) {
    case OpCode.addWatch: {
      const path = reader.string();
      const mode = reader.int();
      if (mode !== 0 && mode !== 1) throw new Refusal("BAD_ARGUMENTS");
      watches.addPersistent(path, caller, mode === 0 ? "persistent" : "persistent-recursive");
      return (writer) => writer.int(0);
    }
    case OpCode.setWatches:
    case OpCode.setWatches2:
      setWatches(opcode, reader, database, caller);
      return noRecord;
    case OpCode.checkWatches: {
      const { data, children, path } = selected(reader);
      const found = (data && watches.data.has(path, caller)) || (children && watches.children.has(path, caller));
      if (!found) throw new Refusal("NO_WATCHER");
      return noRecord;
    }
    case OpCode.removeWatches: {
      const { data, children, path } = selected(reader);
      const removedData = data && watches.data.remove(path, caller);
      const removedChildren = children && watches.children.remove(path, caller);
      if (!removedData && !removedChildren) throw new Refusal("NO_WATCHER");
      return noRecord;
    }
    default:
      return undefined;
  }
}

function selected(reader: JuteReader): { path: string; data: boolean; children: boolean } {
  const path = reader.string();
  const type = reader.int();
  switch (type) {
    case WatcherType.children:
      return { path, data: false, children: true };
    case WatcherType.data:
      return { path, data: true, children: false };
    case WatcherType.any:
      return { path, data: true, children: true };
    default:
      throw new Refusal("MARSHALLING_ERROR");
  }
}

/** Sets a reconnected client's watches again; those that missed a change fire at once. */
function setWatches(opcode: number, reader: JuteReader, { tree, watches }: Database, caller: Caller): void {
  const seen = reader.long();
  for (const path of reader.strings()) {
    const node = tree.find(path);
    if (node === undefined) caller.notify(EventType.deleted, path);
    else if (node.mzxid > seen) caller.notify(EventType.dataChanged, path);
    else watches.data.add(path, caller, "one-shot");
  }
  for (const path of reader.strings()) {
    if (tree.find(path) !== undefined) caller.notify(EventType.created, path);
    else watches.data.add(path, caller, "one-shot");
  }
  for (const path of reader.strings()) {
    const node = tree.find(path);
    if (node === undefined) caller.notify(EventType.deleted, path);
    else if (node.pzxid > seen) caller.notify(EventType.childrenChanged, path);
    else watches.children.add(path, caller, "one-shot");
  }
  if (opcode !== OpCode.setWatches2) return;
  for (const path of reader.strings()) watches.addPersistent(path, caller, "persistent");
  for (const path of reader.strings()) watches.addPersistent(path, caller, "persistent-recursive");
}
