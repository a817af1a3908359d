import type { ClientCore } from "./client_core.ts";
import { isZooKeeperError, ZooKeeperError } from "../errors.ts";
import { WatcherType } from "../wire/opcodes.ts";
import type { Call } from "./pending.ts";
import { addWatchRequest, checkWatchesRequest, removeWatchesRequest, type At } from "../wire/requests.ts";
import type { WatchHandler } from "./watches.ts";
import type { PersistentMode, WatchKind } from "../wire/set_watches.ts";

/** Selects watches of a path: on its data and existence, on its children, or any, including persistent ones. */
export type WatchSelection = keyof typeof WatcherType;

const kindsOf: Record<WatchSelection, readonly WatchKind[]> = {
  data: ["data", "exists"],
  children: ["children"],
  any: ["data", "exists", "children", "persistent", "persistent-recursive"],
};

export async function addWatch(
  core: ClientCore,
  path: string,
  mode: PersistentMode,
  handler: WatchHandler,
  call: Call,
): Promise<{ remove(): Promise<void> }> {
  const at = core.at("addWatch", path);
  // A non-recursive watch must not replace a recursive one.
  const asked = core.watches.persistentMode(at.onServer) === "persistent-recursive" ? "persistent-recursive" : mode;
  await core.submitWatching(addWatchRequest(at, asked), at, handler, { granted: mode }, call);
  return {
    remove: async () => {
      const before = core.watches.persistentMode(at.onServer);
      core.watches.remove(mode, at.onServer, handler);
      await forgetOnServer(core, at, "any", before, call);
    },
  };
}

/** @throws ZooKeeperError NO_WATCHER if this client has no such watch */
export async function removeWatches(
  core: ClientCore,
  path: string,
  options: { readonly kind?: WatchSelection; readonly handler?: WatchHandler } & Call,
): Promise<void> {
  const at = core.at("removeWatches", path);
  const kind = options.kind ?? "any";
  const before = core.watches.persistentMode(at.onServer);
  const removed = kindsOf[kind].filter((each) => core.watches.remove(each, at.onServer, options.handler));
  if (removed.length === 0) {
    throw new ZooKeeperError({ code: "NO_WATCHER", operation: "removeWatches", path, outcome: "not-sent" });
  }
  await forgetOnServer(core, at, kind, before, options);
}

/**
 * Whether the server holds such a watch of this session. Servers before 3.9 also say yes for another session's watch, so
 * a handler must be registered here as well.
 */
export async function hasWatch(core: ClientCore, path: string, kind: WatchSelection, call: Call): Promise<boolean> {
  const at = core.at("hasWatch", path);
  const ours = (sort: "data" | "children"): boolean =>
    (kind === sort || kind === "any") && core.watches.wants(sort, at.onServer);
  try {
    await core.submit(checkWatchesRequest(at, WatcherType[kind]), call);
    return ours("data") || ours("children");
  } catch (error) {
    if (isZooKeeperError(error, "NO_WATCHER")) return false;
    throw error;
  }
}

/**
 * Removes on the server the watches that no handler here waits for any more. The server removes by path and kind, so a
 * watch must stay while another handler needs the same one. Without a connection there is nothing to remove: a new
 * connection sets only the watches that are left.
 * @param before the persistent watch that the server holds until now
 */
async function forgetOnServer(
  core: ClientCore,
  at: At,
  kind: WatchSelection,
  before: PersistentMode | undefined,
  call: Call,
): Promise<void> {
  const { watches } = core;
  if (core.state.kind !== "connected" || watches.expects(at.onServer)) return;
  const data = kind !== "children" && !watches.wants("data", at.onServer);
  const children = kind !== "data" && !watches.wants("children", at.onServer);
  const left = watches.persistentMode(at.onServer);
  try {
    if (left !== undefined && left !== before) await core.submit(addWatchRequest(at, left), call);
    if (!data && !children) return;
    const type = data && children ? WatcherType.any : data ? WatcherType.data : WatcherType.children;
    await core.submit(removeWatchesRequest(at, type), call);
  } catch (error) {
    const gone = isZooKeeperError(error, "NO_WATCHER", "SESSION_EXPIRED", "CLOSED", "CONNECTION_LOSS");
    if (!gone) throw error;
  }
}
