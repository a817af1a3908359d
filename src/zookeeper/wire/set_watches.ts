import type { JuteWriter } from "./jute.ts";
import { OpCode, Xid } from "./opcodes.ts";

export type OneShotKind = "data" | "exists" | "children";
export type PersistentMode = "persistent" | "persistent-recursive";

export type WatchKind = OneShotKind | PersistentMode;

/** What a new connection must send to set the watches again: paths by kind, as the server knows them. */
export type ReplayPaths = Readonly<Record<WatchKind, readonly string[]>>;

// The order of the lists in the SetWatches2 record; SetWatches has the first three.
const kinds: readonly WatchKind[] = ["data", "exists", "children", "persistent", "persistent-recursive"];

// A server closes the connection on a packet over its limit (1 MB), so a big set of watches goes in slices of at most
// this many bytes of paths, as Apache's own client does.
const sliceBytes = 127 * 1024;

type Slice = Record<WatchKind, string[]>;

/**
 * The packets that set all watches again after a reconnect. The server fires at once those that missed a change since
 * `lastZxid`.
 */
export function watchReplay(writer: JuteWriter, paths: ReplayPaths, lastZxid: bigint): Buffer[] {
  return slices(paths).map((slice) => {
    // SetWatches2 exists since 3.6; an older server has no persistent watches that could need it.
    const persistent = slice.persistent.length > 0 || slice["persistent-recursive"].length > 0;
    writer.reset().int(Xid.setWatches);
    writer.int(persistent ? OpCode.setWatches2 : OpCode.setWatches).long(lastZxid);
    for (const kind of persistent ? kinds : kinds.slice(0, 3)) writer.strings(slice[kind]);
    return writer.frame();
  });
}

function slices(paths: ReplayPaths): Slice[] {
  const all: Slice[] = [];
  let slice = emptySlice();
  let size = 0;
  for (const kind of kinds) {
    for (const path of paths[kind]) {
      const bytes = Buffer.byteLength(path) + 4;
      if (size > 0 && size + bytes > sliceBytes) {
        all.push(slice);
        slice = emptySlice();
        size = 0;
      }
      slice[kind].push(path);
      size += bytes;
    }
  }
  if (size > 0) all.push(slice);
  return all;
}

function emptySlice(): Slice {
  return { data: [], exists: [], children: [], persistent: [], "persistent-recursive": [] };
}
