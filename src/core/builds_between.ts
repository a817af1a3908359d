import type { BuildRecord } from "../schema/znodes.ts";

/** A build as it was added. */
export interface AddedBuild {
  readonly id: string;
  readonly record: Pick<BuildRecord, "commit" | "author" | "time">;
}

/** What lies between two builds, as far as builds' records tell: who has changed what is known of builds alone. */
export interface BuildsBetween {
  /** Whether the new build was added after the one that is served, or before it; null where that is not known. */
  readonly direction: "forward" | "back" | "same" | null;
  /**
   * The builds that the hosts would get the changes of, or on the way back lose: the newest last. The one that they end with is
   * among them.
   */
  readonly builds: readonly AddedBuild[];
}

/**
 * @param all builds in the order in which they were added
 * @param from what is served; null where nothing is
 */
export function buildsBetween(all: readonly AddedBuild[], from: string | null, to: string): BuildsBetween {
  const [begin, end] = [from, to].map((id) => all.findIndex((build) => build.id === id));
  if (begin === undefined || end === undefined || end < 0) return { direction: null, builds: [] };
  if (from === to) return { direction: "same", builds: [] };
  // Of a fleet that serves nothing, or a build that was removed since, only the new one is known to be new.
  if (begin < 0) return { direction: null, builds: all.slice(end, end + 1) };
  return begin < end
    ? { direction: "forward", builds: all.slice(begin + 1, end + 1) }
    : { direction: "back", builds: all.slice(end + 1, begin + 1) };
}
