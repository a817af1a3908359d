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

/** One handler or several; as a rule there is one, and a set for it would be the largest part of a watch. */
type Handlers = WatchHandler | Set<WatchHandler> | undefined;

/** Everything that concerns one path, in one object: a fleet's change finds a thousand of these cold in memory. */
class WatchedPath {
  data: Handlers = undefined;
  exists: Handlers = undefined;
  children: Handlers = undefined;
  persistent: Handlers = undefined;
  "persistent-recursive": Handlers = undefined;
  /** How many pending requests will leave a watch here. */
  expected = 0;

  get unused(): boolean {
    const { data, exists, children, persistent, expected } = this;
    const watched = data ?? exists ?? children ?? persistent ?? this["persistent-recursive"];
    return watched === undefined && expected === 0;
  }

  /** Takes the handlers of a one-shot watch, which fires only once. */
  spend(kind: OneShotKind): Handlers {
    const handlers = this[kind];
    this[kind] = undefined;
    return handlers;
  }
}

const kinds: readonly WatchKind[] = ["data", "exists", "children", "persistent", "persistent-recursive"];

/**
 * The handlers by kind and path, as the server's paths. It mirrors what the server holds for this session, so a handler
 * is added only once the server has accepted the watch. The same handler given twice for a path counts once.
 */
export class WatchRegistry {
  readonly #paths = new Map<string, WatchedPath>();
  /** How many paths have a recursive watch. As long as none has, no event needs to look at the paths above it. */
  #recursive = 0;
  readonly #deliver: Deliver;

  constructor(deliver: Deliver) {
    this.#deliver = deliver;
  }

  add(kind: WatchKind, path: string, handler: WatchHandler): void {
    const at = this.#at(path);
    if (kind === "persistent-recursive" && at[kind] === undefined) this.#recursive += 1;
    const handlers = at[kind];
    if (handlers instanceof Set) handlers.add(handler);
    else at[kind] = union(handlers, handler);
  }

  /**
   * Removes one handler, or all.
   * @returns whether there was one to remove
   */
  remove(kind: WatchKind, path: string, handler?: WatchHandler): boolean {
    const at = this.#paths.get(path);
    const handlers = at?.[kind];
    if (at === undefined || handlers === undefined) return false;
    if (handler !== undefined && handlers !== handler) {
      if (typeof handlers === "function" || !handlers.delete(handler)) return false;
      if (handlers.size > 0) return true;
    }
    at[kind] = undefined;
    if (kind === "persistent-recursive") this.#recursive -= 1;
    this.#forgetUnused(path, at);
    return true;
  }

  /** Records that a watch at `path` is being requested; `arrived` is to be called when that is answered. */
  expect(path: string): void {
    this.#at(path).expected += 1;
  }

  arrived(path: string): void {
    const at = this.#paths.get(path);
    if (at === undefined) return;
    at.expected = Math.max(0, at.expected - 1);
    this.#forgetUnused(path, at);
  }

  expects(path: string): boolean {
    return (this.#paths.get(path)?.expected ?? 0) > 0;
  }

  /** The persistent watch that the server must hold at `path`. */
  persistentMode(path: string): PersistentMode | undefined {
    const at = this.#paths.get(path);
    if (at?.["persistent-recursive"] !== undefined) return "persistent-recursive";
    return at?.persistent === undefined ? undefined : "persistent";
  }

  /** Whether any handler needs the events of the server's watch on the data, or on the children, of exactly `path`. */
  wants(sort: "data" | "children", path: string): boolean {
    if (this.covers(path)) return true;
    const at = this.#paths.get(path);
    if (sort === "children") return at?.children !== undefined;
    return at?.data !== undefined || at?.exists !== undefined;
  }

  /**
   * Whether a persistent watch already delivers the events that a one-shot watch at `path` needs. The second watch must
   * then not be requested: before 3.9 the server keeps one watch per path, and the later would replace the earlier.
   */
  covers(path: string): boolean {
    return this.persistentMode(path) !== undefined;
  }

  fire(type: ChangeType, path: string): void {
    const at = this.#paths.get(path);
    let found: Handlers;
    if (type !== "children-changed") {
      found = union(at?.spend("data"), at?.spend("exists"));
      if (type === "deleted") found = union(found, at?.spend("children"));
      found = union(union(found, this.#recursiveAbove(path)), at?.persistent);
    } else if (at !== undefined) {
      found = at.spend("children");
      if (at["persistent-recursive"] === undefined) found = union(found, at.persistent);
    }
    if (at !== undefined) this.#forgetUnused(path, at);
    this.#tell(found, type, path);
    if (type === "created" || type === "deleted") this.#childrenChanged(path);
  }

  /**
   * Before 3.9 a server keeps one persistent watch per path. A recursive one therefore also serves a one-shot watch on
   * the children and a non-recursive persistent one.
   */
  #childrenChanged(child: string): void {
    const path = parentPath(child);
    const at = this.#paths.get(path);
    if (child === path || at?.["persistent-recursive"] === undefined) return;
    this.#tell(union(at.spend("children"), at.persistent), "children-changed", path);
  }

  reconnected(): void {
    for (const mode of ["persistent", "persistent-recursive"] as const) {
      for (const [path, at] of this.#paths) this.#tell(at[mode], "reconnected", path);
    }
  }

  lost(): void {
    const paths = [...this.#paths];
    this.#paths.clear();
    this.#recursive = 0;
    for (const kind of kinds) {
      for (const [path, at] of paths) this.#tell(at[kind], "lost", path);
    }
  }

  /** The watches that the server must hold for all of these; see `#childrenChanged` for those it need not. */
  replay(): ReplayPaths {
    const having = (kind: WatchKind): string[] =>
      [...this.#paths].filter(([, at]) => at[kind] !== undefined).map(([path]) => path);
    const persistent = having("persistent").filter((path) => this.persistentMode(path) === "persistent");
    return {
      data: having("data"),
      exists: having("exists"),
      children: having("children"),
      persistent,
      "persistent-recursive": having("persistent-recursive"),
    };
  }

  #at(path: string): WatchedPath {
    const known = this.#paths.get(path);
    if (known !== undefined) return known;
    const made = new WatchedPath();
    this.#paths.set(path, made);
    return made;
  }

  #forgetUnused(path: string, at: WatchedPath): void {
    if (at.unused) this.#paths.delete(path);
  }

  #recursiveAbove(path: string): Handlers {
    let found: Handlers;
    if (this.#recursive === 0) return found;
    for (let above = path; ; above = above.slice(0, Math.max(1, above.lastIndexOf("/")))) {
      found = union(found, this.#paths.get(above)?.["persistent-recursive"]);
      if (above === "/") return found;
    }
  }

  #tell(handlers: Handlers, type: WatchEvent["type"], path: string): void {
    if (handlers === undefined) return;
    if (typeof handlers === "function") this.#deliver(handlers, type, path);
    else for (const handler of handlers) this.#deliver(handler, type, path);
  }
}

/** Both, each handler once. Neither is changed. */
function union(some: Handlers, more: Handlers): Handlers {
  if (some === undefined || some === more) return more;
  if (more === undefined) return some;
  return new Set([...each(some), ...each(more)]);
}

function each(handlers: Handlers): Iterable<WatchHandler> {
  return typeof handlers === "function" ? [handlers] : (handlers ?? []);
}
