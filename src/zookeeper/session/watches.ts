import type { ChangeType } from "../wire/opcodes.ts";
import { parentPath } from "../wire/node_paths.ts";
import type { OneShotKind, PersistentMode, ReplayPaths, WatchKind } from "../wire/set_watches.ts";

/**
 * A change, or the fate of the watch itself. `reconnected`: a persistent watch was set again on another connection and
 * may have missed changes in between, so read again. `lost`: the session is over and the watch with it.
 */
export interface WatchEvent {
  readonly type: ChangeType | "reconnected" | "lost";
  readonly path: string;
}

export type WatchHandler = (event: WatchEvent) => void | Promise<void>;

type Deliver = (handler: WatchHandler, type: WatchEvent["type"], serverPath: string) => void;

type Table = Map<string, Set<WatchHandler>>;

/**
 * The handlers by kind and path, as the server's paths. It mirrors what the server holds for this session, so a handler
 * is added only once the server has accepted the watch. The same handler given twice for a path counts once.
 */
export class WatchRegistry {
  readonly #tables: Record<WatchKind, Table> = {
    data: new Map(),
    exists: new Map(),
    children: new Map(),
    persistent: new Map(),
    "persistent-recursive": new Map(),
  };
  /** How many pending requests will leave a watch at a path. */
  readonly #expected = new Map<string, number>();
  readonly #deliver: Deliver;

  constructor(deliver: Deliver) {
    this.#deliver = deliver;
  }

  add(kind: WatchKind, path: string, handler: WatchHandler): void {
    const table = this.#tables[kind];
    const handlers = table.get(path);
    if (handlers === undefined) table.set(path, new Set([handler]));
    else handlers.add(handler);
  }

  /**
   * Removes one handler, or all.
   * @returns whether there was one to remove
   */
  remove(kind: WatchKind, path: string, handler?: WatchHandler): boolean {
    const handlers = this.#tables[kind].get(path);
    if (handlers === undefined) return false;
    const removed = handler === undefined || handlers.delete(handler);
    if (handler === undefined || handlers.size === 0) this.#tables[kind].delete(path);
    return removed;
  }

  /** Records that a watch at `path` is being requested; call the returned function when that is answered. */
  expect(path: string): () => void {
    this.#expected.set(path, (this.#expected.get(path) ?? 0) + 1);
    return () => {
      const left = (this.#expected.get(path) ?? 0) - 1;
      if (left > 0) this.#expected.set(path, left);
      else this.#expected.delete(path);
    };
  }

  expects(path: string): boolean {
    return this.#expected.has(path);
  }

  /** The persistent watch that the server must hold at `path`. */
  persistentMode(path: string): PersistentMode | undefined {
    if (this.#tables["persistent-recursive"].has(path)) return "persistent-recursive";
    return this.#tables.persistent.has(path) ? "persistent" : undefined;
  }

  /** Whether any handler needs the events of the server's watch on the data, or on the children, of exactly `path`. */
  wants(sort: "data" | "children", path: string): boolean {
    if (this.covers(path)) return true;
    if (sort === "children") return this.#tables.children.has(path);
    return this.#tables.data.has(path) || this.#tables.exists.has(path);
  }

  /**
   * Whether a persistent watch already delivers the events that a one-shot watch at `path` needs. The second watch must
   * then not be requested: before 3.9 the server keeps one watch per path, and the later would replace the earlier.
   */
  covers(path: string): boolean {
    return this.persistentMode(path) !== undefined;
  }

  fire(type: ChangeType, path: string): void {
    const found = new Set<WatchHandler>();
    switch (type) {
      case "created":
      case "data-changed":
        this.#spend("data", path, found);
        this.#spend("exists", path, found);
        this.#recursive(path, found);
        break;
      case "deleted":
        this.#spend("data", path, found);
        this.#spend("exists", path, found);
        this.#spend("children", path, found);
        this.#recursive(path, found);
        break;
      case "children-changed":
        this.#spend("children", path, found);
        break;
    }
    const told = type === "children-changed" && this.#tables["persistent-recursive"].has(path);
    if (!told) for (const handler of this.#tables.persistent.get(path) ?? []) found.add(handler);
    for (const handler of found) this.#deliver(handler, type, path);
    if (type === "created" || type === "deleted") this.#childrenChanged(path);
  }

  /**
   * Before 3.9 a server keeps one persistent watch per path. A recursive one therefore also serves a one-shot watch on
   * the children and a non-recursive persistent one.
   */
  #childrenChanged(child: string): void {
    const path = parentPath(child);
    if (child === path || !this.#tables["persistent-recursive"].has(path)) return;
    const found = new Set<WatchHandler>();
    this.#spend("children", path, found);
    for (const handler of this.#tables.persistent.get(path) ?? []) found.add(handler);
    for (const handler of found) this.#deliver(handler, "children-changed", path);
  }

  reconnected(): void {
    for (const mode of ["persistent", "persistent-recursive"] as const) {
      for (const [path, handlers] of this.#tables[mode]) {
        for (const handler of handlers) this.#deliver(handler, "reconnected", path);
      }
    }
  }

  lost(): void {
    for (const table of Object.values(this.#tables)) {
      for (const [path, handlers] of table) {
        for (const handler of handlers) this.#deliver(handler, "lost", path);
      }
      table.clear();
    }
  }

  /** The watches that the server must hold for all of these; see `#childrenChanged` for those it need not. */
  replay(): ReplayPaths {
    const paths = (kind: WatchKind): string[] => [...this.#tables[kind].keys()];
    const recursive = this.#tables["persistent-recursive"];
    return {
      data: paths("data"),
      exists: paths("exists"),
      children: paths("children"),
      persistent: paths("persistent").filter((path) => !recursive.has(path)),
      "persistent-recursive": paths("persistent-recursive"),
    };
  }

  #spend(kind: OneShotKind, path: string, into: Set<WatchHandler>): void {
    const handlers = this.#tables[kind].get(path);
    if (handlers === undefined) return;
    this.#tables[kind].delete(path);
    for (const handler of handlers) into.add(handler);
  }

  #recursive(path: string, into: Set<WatchHandler>): void {
    const table = this.#tables["persistent-recursive"];
    if (table.size === 0) return;
    for (let at = path; ; at = at.slice(0, Math.max(1, at.lastIndexOf("/")))) {
      for (const handler of table.get(at) ?? []) into.add(handler);
      if (at === "/") return;
    }
  }
}
