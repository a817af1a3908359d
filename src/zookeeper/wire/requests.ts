import { UnfitNumber, type JuteReader, type JuteWriter } from "./jute.ts";
import { AddWatchMode, createFlag, OpCode, type CreateMode } from "./opcodes.ts";
import { readAcls, readStat, writeAcls } from "./node_records.ts";
import type { Acl, SessionIdentity, Stat } from "../znode.ts";

/** One operation on the wire: how its record is written and how its answer is read. */
export interface Request<T> {
  readonly opcode: number;
  /** Name for errors. */
  readonly operation: string;
  /** Path as the caller knows it, for errors. */
  readonly path?: string;
  /** True when it changes the tree, so that a lost answer leaves the outcome unknown. */
  readonly write: boolean;
  encode(writer: JuteWriter): void;
  decode(reader: JuteReader): T;
}

/** A path as the caller says it and as the server knows it (they differ by the chroot). */
export interface At {
  readonly path: string;
  readonly onServer: string;
}

const nothing = (): void => undefined;

export interface CreateFields {
  readonly data: Uint8Array | null;
  readonly mode: CreateMode;
  readonly acl: readonly Acl[];
  readonly ttlMs: number | undefined;
}

/** The variant of `create` whose reply includes the stat, by mode. */
export function createOpcode(mode: CreateMode): number {
  switch (mode) {
    case "container":
      return OpCode.createContainer;
    case "persistent-ttl":
    case "persistent-sequential-ttl":
      return OpCode.createTtl;
    case "persistent":
    case "ephemeral":
    case "persistent-sequential":
    case "ephemeral-sequential":
      return OpCode.create2;
  }
}

export function encodeCreate(writer: JuteWriter, onServer: string, fields: CreateFields): void {
  writer.string(onServer).buffer(fields.data);
  writeAcls(writer, fields.acl);
  writer.int(createFlag(fields.mode));
  if (createOpcode(fields.mode) === OpCode.createTtl) writer.long(wholeMs(fields.ttlMs ?? -1));
}

/** @throws UnfitNumber */
function wholeMs(ms: number): bigint {
  if (!Number.isSafeInteger(ms)) throw new UnfitNumber(`${ms} is no whole number of milliseconds`);
  return BigInt(ms);
}

export function createRequest(at: At, fields: CreateFields): Request<{ path: string; stat: Stat }> {
  return {
    opcode: createOpcode(fields.mode),
    operation: "create",
    path: at.path,
    write: true,
    encode: (writer) => encodeCreate(writer, at.onServer, fields),
    decode: (reader) => ({ path: reader.string(), stat: readStat(reader) }),
  };
}

export function deleteRequest(at: At, version: number): Request<void> {
  return {
    opcode: OpCode.delete,
    operation: "delete",
    path: at.path,
    write: true,
    encode: (writer) => writer.string(at.onServer).int(version),
    decode: nothing,
  };
}

/** A read that may leave a watch. One object, as every host of a fleet makes one for every change. */
class PathRead<T> implements Request<T> {
  readonly opcode: number;
  readonly operation: string;
  readonly path: string;
  readonly write = false;
  readonly decode: (reader: JuteReader) => T;
  readonly #onServer: string;
  readonly #watch: boolean;

  constructor(opcode: number, operation: string, at: At, watch: boolean, decode: (reader: JuteReader) => T) {
    this.opcode = opcode;
    this.operation = operation;
    this.path = at.path;
    this.decode = decode;
    this.#onServer = at.onServer;
    this.#watch = watch;
  }

  encode(writer: JuteWriter): void {
    writer.string(this.#onServer).bool(this.#watch);
  }
}

export function existsRequest(at: At, watch: boolean): Request<Stat> {
  return new PathRead(OpCode.exists, "exists", at, watch, readStat);
}

function readChildren(reader: JuteReader): { children: string[]; stat: Stat } {
  return { children: reader.strings(), stat: readStat(reader) };
}

function readData(reader: JuteReader): { data: Uint8Array; stat: Stat } {
  return { data: reader.buffer() ?? new Uint8Array(0), stat: readStat(reader) };
}

export function getRequest(at: At, watch: boolean): Request<{ data: Uint8Array; stat: Stat }> {
  return new PathRead(OpCode.getData, "get", at, watch, readData);
}

export function setRequest(at: At, data: Uint8Array | null, version: number): Request<Stat> {
  return {
    opcode: OpCode.setData,
    operation: "set",
    path: at.path,
    write: true,
    encode: (writer) => writer.string(at.onServer).buffer(data).int(version),
    decode: readStat,
  };
}

export function childrenRequest(at: At, watch: boolean): Request<{ children: string[]; stat: Stat }> {
  return new PathRead(OpCode.getChildren2, "children", at, watch, readChildren);
}

export function syncRequest(at: At): Request<void> {
  return {
    opcode: OpCode.sync,
    operation: "sync",
    path: at.path,
    write: false,
    encode: (writer) => writer.string(at.onServer),
    decode: nothing,
  };
}

export function addWatchRequest(at: At, mode: keyof typeof AddWatchMode): Request<void> {
  return {
    opcode: OpCode.addWatch,
    operation: "addWatch",
    path: at.path,
    write: false,
    encode: (writer) => writer.string(at.onServer).int(AddWatchMode[mode]),
    decode: nothing,
  };
}

export function removeWatchesRequest(at: At, watcherType: number): Request<void> {
  return {
    opcode: OpCode.removeWatches,
    operation: "removeWatches",
    path: at.path,
    write: false,
    encode: (writer) => writer.string(at.onServer).int(watcherType),
    decode: nothing,
  };
}

/** Refused with NO_WATCHER when the server holds none of the type for this session. */
export function checkWatchesRequest(at: At, watcherType: number): Request<void> {
  return {
    opcode: OpCode.checkWatches,
    operation: "hasWatch",
    path: at.path,
    write: false,
    encode: (writer) => writer.string(at.onServer).int(watcherType),
    decode: nothing,
  };
}

export function getAclRequest(at: At): Request<{ acl: Acl[]; stat: Stat }> {
  return {
    opcode: OpCode.getAcl,
    operation: "getAcl",
    path: at.path,
    write: false,
    encode: (writer) => writer.string(at.onServer),
    decode: (reader) => ({ acl: readAcls(reader), stat: readStat(reader) }),
  };
}

export function setAclRequest(at: At, acl: readonly Acl[], aclVersion: number): Request<Stat> {
  return {
    opcode: OpCode.setAcl,
    operation: "setAcl",
    path: at.path,
    write: true,
    encode: (writer) => {
      writer.string(at.onServer);
      writeAcls(writer, acl);
      writer.int(aclVersion);
    },
    decode: readStat,
  };
}

export function whoAmIRequest(): Request<SessionIdentity[]> {
  return {
    opcode: OpCode.whoAmI,
    operation: "whoAmI",
    write: false,
    encode: nothing,
    decode: (reader) => reader.list((each) => ({ scheme: each.string(), user: each.string() })),
  };
}

export function ephemeralsRequest(at: At): Request<string[]> {
  return {
    opcode: OpCode.getEphemerals,
    operation: "ephemerals",
    path: at.path,
    write: false,
    encode: (writer) => writer.string(at.onServer),
    decode: (reader) => reader.strings(),
  };
}

export function descendantsRequest(at: At): Request<number> {
  return {
    opcode: OpCode.getAllChildrenNumber,
    operation: "countDescendants",
    path: at.path,
    write: false,
    encode: (writer) => writer.string(at.onServer),
    decode: (reader) => reader.int(),
  };
}

export function closeRequest(): Request<void> {
  return { opcode: OpCode.closeSession, operation: "close", write: false, encode: nothing, decode: nothing };
}
