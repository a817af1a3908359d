import { EventType } from "../wire/opcodes.ts";
import { parentPath } from "../wire/node_paths.ts";
import type { Acl } from "../znode.ts";
import type { NodeChange } from "./tree.ts";

/** The owner of a watch: one connection. */
export interface Watcher {
  /** @param acl of the node the event is about, if the watcher needs the right to read it */
  notify(eventType: number, path: string, acl?: readonly Acl[]): void;
}

type WatchMode = "one-shot" | "persistent" | "persistent-recursive";

type Modes = Set<WatchMode>;

/** Watches of one kind (on data, or on children) by path and watcher. */
class PathWatches {
  readonly #byPath = new Map<string, Map<Watcher, Modes>>();

  add(path: string, watcher: Watcher, mode: WatchMode): void {
    const watchers = this.#byPath.get(path) ?? new Map<Watcher, Modes>();
    this.#byPath.set(path, watchers);
    const modes = watchers.get(watcher) ?? new Set<WatchMode>();
    watchers.set(watcher, modes);
    // A watcher has at most one persistent watch for a path; the later mode replaces the earlier.
    if (mode !== "one-shot") for (const other of ["persistent", "persistent-recursive"] as const) modes.delete(other);
    modes.add(mode);
  }

  has(path: string, watcher: Watcher): boolean {
    return this.#byPath.get(path)?.has(watcher) === true;
  }

  remove(path: string, watcher: Watcher): boolean {
    const watchers = this.#byPath.get(path);
    const removed = watchers?.delete(watcher) === true;
    if (watchers?.size === 0) this.#byPath.delete(path);
    return removed;
  }

  removeAll(watcher: Watcher): void {
    for (const path of this.#byPath.keys()) this.remove(path, watcher);
  }

  get count(): number {
    let total = 0;
    for (const watchers of this.#byPath.values()) total += watchers.size;
    return total;
  }

  /** Notifies each watcher of `path` once, and recursive ones above it; removes one-shot watches that fired. */
  trigger(
    eventType: number,
    path: string,
    acl: readonly Acl[],
    except: ReadonlySet<Watcher> = new Set(),
  ): Set<Watcher> {
    const found = new Set<Watcher>();
    for (const [watcher, modes] of this.#byPath.get(path) ?? []) {
      // Recursive watches learn of children by the children's own events.
      const heard = eventType !== EventType.childrenChanged || modes.has("one-shot") || modes.has("persistent");
      if (heard) found.add(watcher);
      modes.delete("one-shot");
      if (modes.size === 0) this.remove(path, watcher);
    }
    for (let at = path; at !== "/" && eventType !== EventType.childrenChanged;) {
      at = parentPath(at);
      for (const [watcher, modes] of this.#byPath.get(at) ?? []) {
        if (modes.has("persistent-recursive")) found.add(watcher);
      }
    }
    for (const watcher of found) if (!except.has(watcher)) watcher.notify(eventType, path, acl);
    return found;
  }
}

/** All watches of the server. */
export class WatchTable {
  readonly data = new PathWatches();
  readonly children = new PathWatches();

  addPersistent(path: string, watcher: Watcher, mode: "persistent" | "persistent-recursive"): void {
    this.data.add(path, watcher, mode);
    this.children.add(path, watcher, mode);
  }

  forget(watcher: Watcher): void {
    this.data.removeAll(watcher);
    this.children.removeAll(watcher);
  }

  /** Notifies the watchers, in the order in which the changes happened. */
  announce(changes: readonly NodeChange[]): void {
    for (const { type, path, acl, parentAcl } of changes) {
      switch (type) {
        case "created":
          this.data.trigger(EventType.created, path, acl);
          this.children.trigger(EventType.childrenChanged, parentPath(path), parentAcl);
          break;
        case "deleted": {
          const told = this.data.trigger(EventType.deleted, path, acl);
          this.children.trigger(EventType.deleted, path, acl, told);
          this.children.trigger(EventType.childrenChanged, parentPath(path), parentAcl);
          break;
        }
        case "data-changed":
          this.data.trigger(EventType.dataChanged, path, acl);
          break;
      }
    }
  }
}
