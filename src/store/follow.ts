import type { BuildRecord } from "../schema/znodes.ts";
import { Bell } from "../support/bell.ts";
import type { Session } from "../zookeeper/session.ts";
import type { FormatGate } from "./format.ts";
import { readWish, unreadSnapshot, type WishReader, type WishSnapshot } from "./read_wish.ts";

/**
 * A watch can be lost in ways nobody has thought of, so the wish is also read periodically; that costs a handful of
 * requests.
 */
const PERIODIC_READ_MS = 30_000;
const RETRY_MS = 1_000;

export interface FollowOptions extends WishReader {
  readonly session: Session;
  readonly format: FormatGate;
  readonly onSnapshot: (snapshot: WishSnapshot) => void;
  /**
   * Called with the reason when the wish cannot be read; the last snapshot stays in force. The next snapshot shows that
   * reading works again.
   */
  readonly onProblem: (error: unknown) => void;
}

/**
 * Follows one host's wish for one service until the signal is aborted: reads on every watch event, on every new session
 * and periodically, and passes on each snapshot. When a read fails, the last snapshot stays in force. While this deployd
 * does not understand the tree, there is nothing to follow, and the snapshot says why.
 */
export async function followWish(options: FollowOptions, signal: AbortSignal): Promise<void> {
  const { session, format } = options;
  const bell = new Bell(options.clock);
  const stopEpoch = session.onEpoch(bell.ring);
  const stopState = session.onState((state) => {
    if (state.kind === "connected") bell.ring();
  });
  const stopFormat = format.onChange(bell.ring);
  const builds = new Map<string, BuildRecord>();
  let epoch = -1;
  try {
    bell.ring();
    let waitMs = PERIODIC_READ_MS;
    while (!signal.aborted) {
      await bell.wait(waitMs, signal);
      if (signal.aborted) break;
      if (!format.isKnown) {
        const { problem } = format;
        if (problem !== null) options.onSnapshot({ ...unreadSnapshot, problem: problem.explained });
        continue;
      }
      const before = session.epoch;
      try {
        // Another server may answer the new session and lag behind; an older wish must never be followed again.
        if (before !== epoch) await session.client.sync("/", { signal });
        const snapshot = await readWish(session.client, options, builds, { watch: bell.ring, signal });
        epoch = before;
        waitMs = PERIODIC_READ_MS;
        // ZooKeeper sends a watch event before it answers with what changed. A snapshot read in several parts while one
        // arrived never existed as a whole, so it is dropped.
        if (!bell.isRung) options.onSnapshot(snapshot);
      } catch (error) {
        if (!signal.aborted) options.onProblem(error);
        waitMs = RETRY_MS;
      }
    }
  } finally {
    stopFormat();
    stopEpoch();
    stopState();
  }
}
