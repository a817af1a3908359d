import { ClientCore } from "./session/client_core.ts";
import { isZooKeeperError } from "./errors.ts";
import { bytesOf, multiRequest, type Op, type OpResult } from "./wire/multi.ts";
import { multiReadRequest, type ReadOp, type ReadResult } from "./wire/multi_read.ts";
import { isSequential, type CreateMode } from "./wire/opcodes.ts";
import type { ZooKeeperOptions } from "./options.ts";
import type { Call } from "./session/pending.ts";
import { openAcl, type Acl, type SessionIdentity, type Stat } from "./znode.ts";
import * as requests from "./wire/requests.ts";
import type { SessionState } from "./state.ts";
import { addWatch, hasWatch, removeWatches, type WatchSelection } from "./session/watch_calls.ts";
import type { WatchHandler } from "./session/watches.ts";
import type { LeftWatch } from "./session/expected_watch.ts";
import type { PersistentMode } from "./wire/set_watches.ts";

export { op, type Op, type OpResult } from "./wire/multi.ts";
export { read, type ReadOp, type ReadResult } from "./wire/multi_read.ts";
export type { ZooKeeperOptions } from "./options.ts";
export type { Call } from "./session/pending.ts";
export type { Acl, Stat } from "./znode.ts";
export type { SessionState } from "./state.ts";
export type { WatchEvent, WatchHandler } from "./session/watches.ts";

/** What the answers to reads leave on the server. */
const leaves = {
  get: { granted: "data" },
  exists: { granted: "data", absent: "exists" },
  children: { granted: "children" },
} as const satisfies Record<string, LeftWatch>;

export interface Watching {
  /** Called once for the next change; the same function given twice for a path counts once. */
  readonly watch?: WatchHandler;
}

/**
 * A client of Apache ZooKeeper (3.5 and later): one session. It connects at once and reconnects by itself until the
 * session is expired, its identity is refused, or it is closed; these are final. Every operation rejects with a
 * `ZooKeeperError`. Operations called while there is no connection wait for one. Paths are those below the chroot.
 */
export class ZooKeeper implements AsyncDisposable {
  readonly #core: ClientCore;

  /** @throws TypeError when `servers` cannot be parsed, or the `tls` options cannot be used */
  constructor(options: ZooKeeperOptions) {
    this.#core = new ClientCore(options);
  }

  get state(): SessionState {
    return this.#core.state;
  }

  /** Id of this session, the owner of its ephemeral nodes; 0 before the first connection. */
  get sessionId(): bigint {
    return this.#core.transport.sessionId;
  }

  /** Calls `listener` on every change of state; returns a function that unsubscribes it. */
  onState(listener: (state: SessionState) => void): () => void {
    return this.#core.onState(listener);
  }

  /**
   * Resolves when connected. Rejects with how the session ended (see `SessionState`), or with ABORTED when `signal` aborts.
   */
  async connected(options: { signal?: AbortSignal } = {}): Promise<void> {
    if (this.state.kind !== "connected") await this.#core.connected(options.signal);
  }

  /** Creates a node; the path in the answer has the counter of a sequential one. */
  async create(
    path: string,
    data?: Uint8Array | string,
    options: { mode?: CreateMode; acl?: readonly Acl[]; ttlMs?: number } & Call = {},
  ): Promise<{ path: string; stat: Stat }> {
    const mode = options.mode ?? "persistent";
    const at = this.#core.at("create", path, isSequential(mode));
    const fields = {
      data: data === undefined ? null : bytesOf(data),
      mode,
      acl: options.acl ?? openAcl,
      ttlMs: options.ttlMs,
    };
    const created = await this.#core.submit(requests.createRequest(at, fields), options);
    return { path: this.#core.chroot.toClient(created.path), stat: created.stat };
  }

  /** @param version the data version that is required, -1 for any */
  async delete(path: string, version = -1, options: Call = {}): Promise<void> {
    await this.#core.submit(requests.deleteRequest(this.#core.at("delete", path), version), options);
  }

  /** The node's stat, or null; a watch given here also waits for the node to be created. */
  async exists(path: string, options: Watching & Call = {}): Promise<Stat | null> {
    const at = this.#core.at("exists", path);
    const request = requests.existsRequest(at, this.#asksWatch(at, options));
    try {
      return await this.#core.submitWatching(request, at, options.watch, leaves.exists, options);
    } catch (error) {
      if (isZooKeeperError(error, "NO_NODE")) return null;
      throw error;
    }
  }

  async get(path: string, options: Watching & Call = {}): Promise<{ data: Uint8Array; stat: Stat }> {
    const at = this.#core.at("get", path);
    const request = requests.getRequest(at, this.#asksWatch(at, options));
    return await this.#core.submitWatching(request, at, options.watch, leaves.get, options);
  }

  /** @param version the data version that is required, -1 for any */
  async set(path: string, data: Uint8Array | string, version = -1, options: Call = {}): Promise<Stat> {
    return await this.#core.submit(requests.setRequest(this.#core.at("set", path), bytesOf(data), version), options);
  }

  /** The names of the children, in no particular order. */
  async children(path: string, options: Watching & Call = {}): Promise<{ children: string[]; stat: Stat }> {
    const at = this.#core.at("children", path);
    const request = requests.childrenRequest(at, this.#asksWatch(at, options));
    return await this.#core.submitWatching(request, at, options.watch, leaves.children, options);
  }

  /** Applies all of `ops` or none (one transaction); the error's `index` says which operation was refused. */
  async multi(ops: readonly Op[], options: Call = {}): Promise<OpResult[]> {
    for (const each of ops) this.#core.at("multi", each.path, each.type === "create" && isSequential(each.mode));
    return await this.#core.submit(multiRequest(ops, this.#core.chroot), options);
  }

  /** Reads several nodes in one packet (since 3.6), each succeeding or failing by itself. It leaves no watches. */
  async multiRead(ops: readonly ReadOp[], options: Call = {}): Promise<ReadResult[]> {
    for (const each of ops) this.#core.at("multiRead", each.path);
    return await this.#core.submit(multiReadRequest(ops, this.#core.chroot), options);
  }

  /** Makes the server this client talks to catch up with all writes that were answered before this call. */
  async sync(path: string, options: Call = {}): Promise<void> {
    await this.#core.submit(requests.syncRequest(this.#core.at("sync", path)), options);
  }

  /**
   * Watches a node, or its whole subtree, until removed. Servers before 3.6 refuse with UNIMPLEMENTED. After a reconnect
   * the handler gets `reconnected`: changes in between were not seen.
   */
  async addWatch(
    path: string,
    mode: PersistentMode,
    handler: WatchHandler,
    options: Call = {},
  ): Promise<{ remove(): Promise<void> }> {
    return await addWatch(this.#core, path, mode, handler, options);
  }

  /**
   * Removes watches at a path: those of `kind` (default `any`), and only `handler`'s if that is given. No handler is
   * called for them from now on. Rejects with NO_WATCHER if there is none.
   */
  async removeWatches(
    path: string,
    options: { kind?: WatchSelection; handler?: WatchHandler } & Call = {},
  ): Promise<void> {
    await removeWatches(this.#core, path, options);
  }

  /** Whether the server holds such a watch of this session, and a handler here waits for it. */
  async hasWatch(path: string, kind: WatchSelection = "any", options: Call = {}): Promise<boolean> {
    return await hasWatch(this.#core, path, kind, options);
  }

  /** Forgets a one-shot watch on this side only; if the server still sends its event, no handler is called. */
  unwatch(path: string, handler: WatchHandler): void {
    const { onServer } = this.#core.at("unwatch", path);
    for (const kind of ["data", "exists", "children"] as const) this.#core.watches.remove(kind, onServer, handler);
  }

  async getAcl(path: string, options: Call = {}): Promise<{ acl: Acl[]; stat: Stat }> {
    return await this.#core.submit(requests.getAclRequest(this.#core.at("getAcl", path)), options);
  }

  /** @param aclVersion the version that is required (`stat.aversion`), -1 for any */
  async setAcl(path: string, acl: readonly Acl[], aclVersion = -1, options: Call = {}): Promise<Stat> {
    return await this.#core.submit(requests.setAclRequest(this.#core.at("setAcl", path), acl, aclVersion), options);
  }

  /** Proves one more identity, now and on every later connection. A refusal ends the session: AUTH_FAILED. */
  async addAuth(scheme: string, credentials: string): Promise<void> {
    await this.#core.transport.addAuth({ scheme, credentials });
  }

  /** The identities under which the server knows this session (since 3.7). */
  async whoAmI(options: Call = {}): Promise<SessionIdentity[]> {
    return await this.#core.submit(requests.whoAmIRequest(), options);
  }

  /** This session's ephemeral nodes below `path` (since 3.6). */
  async ephemerals(path = "/", options: Call = {}): Promise<string[]> {
    const found = await this.#core.submit(requests.ephemeralsRequest(this.#core.at("ephemerals", path)), options);
    return found.map((each) => this.#core.chroot.toClient(each));
  }

  /** How many nodes there are below `path`, at any depth (since 3.6). */
  async countDescendants(path: string, options: Call = {}): Promise<number> {
    return await this.#core.submit(requests.descendantsRequest(this.#core.at("countDescendants", path)), options);
  }

  /** Ends the session: its ephemeral nodes go at once if the server can be reached. Never rejects. */
  async close(): Promise<void> {
    await this.#core.transport.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** A persistent watch brings what a one-shot watch waits for: see `WatchRegistry.covers`. */
  #asksWatch(at: requests.At, { watch }: Watching): boolean {
    return watch !== undefined && !this.#core.watches.covers(at.onServer);
  }
}
