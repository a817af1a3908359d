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

/** An identity by which the server knows a session. */
export interface SessionIdentity {
  readonly scheme: string;
  readonly user: string;
}
