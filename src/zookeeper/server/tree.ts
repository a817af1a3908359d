import { parentPath, pathProblem } from "../wire/node_paths.ts";
import { openAcl, Perms, type Acl, type Stat } from "../znode.ts";
import { requirePermission, resolveAcl, type ProvedId } from "./access.ts";
import { Refusal } from "./reply.ts";

export type Lifetime =
  | { readonly kind: "persistent" }
  | { readonly kind: "ephemeral"; readonly sessionId: bigint }
  | { readonly kind: "container" }
  | { readonly kind: "ttl"; readonly ttlMs: number };

export interface TreeNode {
  data: Uint8Array | null;
  acl: readonly Acl[];
  readonly lifetime: Lifetime;
  readonly children: Set<string>;
  readonly czxid: bigint;
  readonly ctime: number;
  mzxid: bigint;
  mtime: number;
  pzxid: bigint;
  version: number;
  aversion: number;
  /** Children ever created here: the next sequential child gets this number. */
  creations: number;
}

export interface NodeChange {
  readonly type: "created" | "deleted" | "data-changed";
  readonly path: string;
  /** The access lists of the node and of its parent: a watcher that may not read a node is not told about it. */
  readonly acl: readonly Acl[];
  readonly parentAcl: readonly Acl[];
}

/** The session that acts, and the transaction it acts in. */
export interface Actor {
  readonly sessionId: bigint;
  readonly ids: readonly ProvedId[];
  readonly zxid: bigint;
  readonly time: number;
}

export interface NewNode {
  readonly path: string;
  readonly data: Uint8Array | null;
  readonly acl: readonly Acl[];
  readonly lifetime: Lifetime;
  readonly sequential: boolean;
}

const ownPaths = ["/", "/zookeeper", "/zookeeper/quota"];

/** The nodes, in memory. The checks are in the same order as Apache's, because that decides which error a caller sees. */
export class Tree {
  readonly #nodes = new Map<string, TreeNode>();
  /** Paths of ephemeral nodes, by owning session. */
  readonly #ephemerals = new Map<bigint, Set<string>>();
  #undo: (() => void)[] = [];
  #changes: NodeChange[] = [];

  constructor(nodes?: ReadonlyMap<string, TreeNode>) {
    if (nodes !== undefined) {
      for (const [path, node] of nodes) this.#put(path, node);
      return;
    }
    for (const [path, children] of [
      ["/", ["zookeeper"]],
      ["/zookeeper", ["config", "quota"]],
      ["/zookeeper/config", []],
      ["/zookeeper/quota", []],
    ] as const) {
      this.#put(path, newNode({ data: null, acl: openAcl, lifetime: { kind: "persistent" } }, 0n, 0, children));
    }
  }

  /** A copy of the nodes for another server. */
  copy(): Tree {
    const nodes = new Map<string, TreeNode>();
    for (const [path, node] of this.#nodes) nodes.set(path, { ...node, children: new Set(node.children) });
    return new Tree(nodes);
  }

  get size(): number {
    return this.#nodes.size;
  }

  entries(): IterableIterator<[string, TreeNode]> {
    return this.#nodes.entries();
  }

  find(path: string): TreeNode | undefined {
    return this.#nodes.get(path);
  }

  /** @throws Refusal NO_NODE */
  get(path: string): TreeNode {
    const node = this.#nodes.get(path);
    if (node === undefined) throw new Refusal("NO_NODE");
    return node;
  }

  /**
   * Runs `work` atomically: if it throws, all its changes are undone.
   * @returns its result and what watchers must be told
   */
  transact<T>(work: () => T): { value: T; changes: readonly NodeChange[] } {
    this.#undo = [];
    this.#changes = [];
    try {
      return { value: work(), changes: this.#changes };
    } catch (error) {
      for (const step of this.#undo.reverse()) step();
      throw error;
    } finally {
      this.#undo = [];
    }
  }

  /** Creates a node and returns its path. */
  create(fields: NewNode, actor: Actor): string {
    if (!fields.path.includes("/") || fields.path.includes("\0")) throw new Refusal("BAD_ARGUMENTS");
    const acl = resolveAcl(fields.acl, actor.ids);
    const parentAt = parentPath(fields.path);
    const parent = this.get(parentAt);
    requirePermission(parent.acl, Perms.create, actor.ids);
    const path = fields.sequential ? fields.path + String(parent.creations).padStart(10, "0") : fields.path;
    if (pathProblem(path) !== undefined) throw new Refusal("BAD_ARGUMENTS");
    if (this.#nodes.has(path)) throw new Refusal("NODE_EXISTS");
    if (parent.lifetime.kind === "ephemeral") throw new Refusal("NO_CHILDREN_FOR_EPHEMERALS");
    const name = path.slice(path.lastIndexOf("/") + 1);
    const { creations, pzxid } = parent;
    this.#undo.push(() => {
      this.#drop(path);
      parent.children.delete(name);
      Object.assign(parent, { creations, pzxid });
    });
    this.#put(path, newNode({ ...fields, acl }, actor.zxid, actor.time, []));
    parent.children.add(name);
    parent.creations += 1;
    parent.pzxid = actor.zxid;
    this.#changes.push({ type: "created", path, acl, parentAcl: parent.acl });
    return path;
  }

  delete(path: string, version: number, actor: Actor): void {
    if (!path.includes("/") || path.includes("\0") || ownPaths.includes(path)) throw new Refusal("BAD_ARGUMENTS");
    requirePermission(this.get(parentPath(path)).acl, Perms.delete, actor.ids);
    const node = this.get(path);
    requireVersion(node.version, version);
    if (node.children.size > 0) throw new Refusal("NOT_EMPTY");
    this.remove(path, actor.zxid);
  }

  /** Removes a node without any checks, as when its session is over. */
  remove(path: string, zxid: bigint): void {
    const node = this.get(path);
    const parent = this.get(parentPath(path));
    const name = path.slice(path.lastIndexOf("/") + 1);
    const { pzxid } = parent;
    this.#undo.push(() => {
      this.#put(path, node);
      parent.children.add(name);
      parent.pzxid = pzxid;
    });
    this.#drop(path);
    parent.children.delete(name);
    parent.pzxid = zxid;
    this.#changes.push({ type: "deleted", path, acl: node.acl, parentAcl: parent.acl });
  }

  setData(path: string, data: Uint8Array | null, version: number, actor: Actor): TreeNode {
    if (pathProblem(path) !== undefined) throw new Refusal("BAD_ARGUMENTS");
    const node = this.get(path);
    requirePermission(node.acl, Perms.write, actor.ids);
    requireVersion(node.version, version);
    const before = { data: node.data, version: node.version, mzxid: node.mzxid, mtime: node.mtime };
    this.#undo.push(() => Object.assign(node, before));
    Object.assign(node, { data, version: node.version + 1, mzxid: actor.zxid, mtime: actor.time });
    this.#changes.push({ type: "data-changed", path, acl: node.acl, parentAcl: [] });
    return node;
  }

  setAcl(path: string, acl: readonly Acl[], aclVersion: number, actor: Actor): TreeNode {
    if (pathProblem(path) !== undefined) throw new Refusal("BAD_ARGUMENTS");
    const resolved = resolveAcl(acl, actor.ids);
    const node = this.get(path);
    requirePermission(node.acl, Perms.admin, actor.ids);
    requireVersion(node.aversion, aclVersion);
    const before = { acl: node.acl, aversion: node.aversion };
    this.#undo.push(() => Object.assign(node, before));
    Object.assign(node, { acl: resolved, aversion: node.aversion + 1 });
    return node;
  }

  check(path: string, version: number, actor: Actor): void {
    if (pathProblem(path) !== undefined) throw new Refusal("BAD_ARGUMENTS");
    const node = this.get(path);
    requirePermission(node.acl, Perms.read, actor.ids);
    requireVersion(node.version, version);
  }

  /** Paths of the ephemeral nodes of one session. */
  ephemeralsOf(sessionId: bigint): string[] {
    return [...(this.#ephemerals.get(sessionId) ?? [])];
  }

  #put(path: string, node: TreeNode): void {
    this.#nodes.set(path, node);
    if (node.lifetime.kind !== "ephemeral") return;
    const { sessionId } = node.lifetime;
    const own = this.#ephemerals.get(sessionId);
    if (own === undefined) this.#ephemerals.set(sessionId, new Set([path]));
    else own.add(path);
  }

  #drop(path: string): void {
    const lifetime = this.#nodes.get(path)?.lifetime;
    this.#nodes.delete(path);
    if (lifetime?.kind !== "ephemeral") return;
    const own = this.#ephemerals.get(lifetime.sessionId);
    own?.delete(path);
    if (own?.size === 0) this.#ephemerals.delete(lifetime.sessionId);
  }

  /** Nodes due for removal: expired TTL nodes, and containers that had children and have none. */
  overdue(nowMs: number): string[] {
    return [...this.#nodes.keys()].filter((path) => this.isOverdue(path, nowMs));
  }

  isOverdue(path: string, nowMs: number): boolean {
    const node = this.#nodes.get(path);
    if (node === undefined || node.children.size > 0) return false;
    const { lifetime, creations, mtime } = node;
    if (lifetime.kind === "container") return creations > 0;
    return lifetime.kind === "ttl" && nowMs - mtime > lifetime.ttlMs;
  }
}

export function statOf(node: TreeNode): Stat {
  return {
    czxid: node.czxid,
    mzxid: node.mzxid,
    ctime: node.ctime,
    mtime: node.mtime,
    version: node.version,
    // Creations are counted and changes derived: each child that is gone was one creation and one deletion.
    cversion: node.creations * 2 - node.children.size,
    aversion: node.aversion,
    ephemeralOwner: node.lifetime.kind === "ephemeral" ? node.lifetime.sessionId : 0n,
    dataLength: node.data?.byteLength ?? 0,
    numChildren: node.children.size,
    pzxid: node.pzxid,
  };
}

function newNode(
  fields: Pick<TreeNode, "data" | "acl" | "lifetime">,
  zxid: bigint,
  time: number,
  children: readonly string[],
): TreeNode {
  return {
    data: fields.data,
    acl: fields.acl,
    lifetime: fields.lifetime,
    children: new Set(children),
    czxid: zxid,
    ctime: time,
    mzxid: zxid,
    mtime: time,
    pzxid: zxid,
    version: 0,
    aversion: 0,
    creations: 0,
  };
}

function requireVersion(actual: number, expected: number): void {
  if (expected !== -1 && expected !== actual) throw new Refusal("BAD_VERSION");
}
