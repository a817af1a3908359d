import { MalformedRecord, type JuteReader, type JuteWriter } from "./jute.ts";

/** What the server keeps about a node. Transaction ids and the session id need all 64 bits. */
export interface Stat {
  /** Transaction that created the node. */
  readonly czxid: bigint;
  /** Transaction that last set its data. */
  readonly mzxid: bigint;
  /** Creation, milliseconds since 1970 by the server's clock. */
  readonly ctime: number;
  /** Last change of the data, milliseconds since 1970 by the server's clock. */
  readonly mtime: number;
  /** Number of changes of the data. */
  readonly version: number;
  /** Number of changes of the set of children. */
  readonly cversion: number;
  /** Number of changes of the access list. */
  readonly aversion: number;
  /** Session that owns an ephemeral node, else 0. */
  readonly ephemeralOwner: bigint;
  readonly dataLength: number;
  readonly numChildren: number;
  /** Transaction that last added or removed a child. */
  readonly pzxid: bigint;
}

export function readStat(reader: JuteReader): Stat {
  return {
    czxid: reader.long(),
    mzxid: reader.long(),
    ctime: reader.longAsNumber(),
    mtime: reader.longAsNumber(),
    version: reader.int(),
    cversion: reader.int(),
    aversion: reader.int(),
    ephemeralOwner: reader.long(),
    dataLength: reader.int(),
    numChildren: reader.int(),
    pzxid: reader.long(),
  };
}

export function writeStat(writer: JuteWriter, stat: Stat): void {
  writer
    .long(stat.czxid)
    .long(stat.mzxid)
    .long(BigInt(stat.ctime))
    .long(BigInt(stat.mtime))
    .int(stat.version)
    .int(stat.cversion)
    .int(stat.aversion)
    .long(stat.ephemeralOwner)
    .int(stat.dataLength)
    .int(stat.numChildren)
    .long(stat.pzxid);
}

/** Permission bits, `ZooDefs.Perms`. */
export const Perms = { read: 1, write: 2, create: 4, delete: 8, admin: 16, all: 31 } as const;

/** Who may do what with a node: a sum of `Perms` for one identity. */
export interface Acl {
  readonly perms: number;
  readonly scheme: string;
  readonly id: string;
}

/** Anyone may do anything. */
export const openAcl: readonly Acl[] = [{ perms: Perms.all, scheme: "world", id: "anyone" }];

/** Anyone may read. */
export const readAcl: readonly Acl[] = [{ perms: Perms.read, scheme: "world", id: "anyone" }];

/** All for the identities that this session has proved; refused as INVALID_ACL when there are none. */
export const creatorAcl: readonly Acl[] = [{ perms: Perms.all, scheme: "auth", id: "" }];

export function readAcls(reader: JuteReader): Acl[] {
  return reader.list((each) => ({ perms: each.int(), scheme: each.string(), id: each.string() }));
}

export function writeAcls(writer: JuteWriter, acls: readonly Acl[]): void {
  writer.int(acls.length);
  for (const acl of acls) writer.int(acl.perms).string(acl.scheme).string(acl.id);
}

/** An identity the server knows a session by. */
export interface Identity {
  readonly scheme: string;
  readonly user: string;
}

export interface ConnectRequest {
  readonly lastZxidSeen: bigint;
  readonly timeoutMs: number;
  readonly sessionId: bigint;
  readonly password: Uint8Array;
  readonly readOnly: boolean;
}

export interface ConnectResponse {
  /** 0 or less: the session is gone. */
  readonly timeoutMs: number;
  readonly sessionId: bigint;
  readonly password: Uint8Array;
  readonly readOnly: boolean;
}

export const noPassword: Uint8Array = new Uint8Array(16);

export function writeConnectRequest(writer: JuteWriter, request: ConnectRequest): void {
  writer
    .int(0)
    .long(request.lastZxidSeen)
    .int(request.timeoutMs)
    .long(request.sessionId)
    .buffer(request.password)
    .bool(request.readOnly);
}

/** Clients before 3.4 end the record before `readOnly`, and expect the same of the answer. */
export function readConnectRequest(reader: JuteReader): ConnectRequest & { readonly knowsReadOnly: boolean } {
  reader.int();
  return {
    lastZxidSeen: reader.long(),
    timeoutMs: reader.int(),
    sessionId: reader.long(),
    password: reader.buffer() ?? noPassword,
    knowsReadOnly: reader.remaining > 0,
    readOnly: reader.remaining > 0 && reader.bool(),
  };
}

export function writeConnectResponse(writer: JuteWriter, response: ConnectResponse, withReadOnly = true): void {
  writer.int(0).int(response.timeoutMs).long(response.sessionId).buffer(response.password);
  if (withReadOnly) writer.bool(response.readOnly);
}

/** @throws MalformedRecord when it is not exactly the record of a handshake */
export function readConnectResponse(reader: JuteReader): ConnectResponse {
  const protocol = reader.int();
  const response = {
    timeoutMs: reader.int(),
    sessionId: reader.long(),
    password: reader.buffer() ?? noPassword,
    // Servers before 3.4 end the record here.
    readOnly: reader.remaining > 0 && reader.bool(),
  };
  if (protocol !== 0 || reader.remaining > 0) {
    throw new MalformedRecord(`a handshake of protocol ${protocol} has ${reader.remaining} bytes too many`);
  }
  return response;
}
