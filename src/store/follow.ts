import { Bell, pause } from "../support/bell.ts";
import type { Session } from "../zookeeper/session.ts";
import type { FormatGate } from "./format.ts";
import { readWish, unreadSnapshot, type WishReader, type WishSnapshot } from "./read_wish.ts";
import { WatchedNodes } from "./watched_nodes.ts";

/**
 * A watch can be lost in ways nobody has thought of, so everything is also read anew now and then; each host at a time of
 * its own. In milliseconds.
 */
const THOROUGH_MS = 120_000;
/**
 * Over how long the hosts of a fleet spread their reads, in milliseconds for each host: a server answers some 20,000
 * reads a second, and a host makes three.
 */
const SPREAD_MS_PER_HOST = 0.1;
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
  const nodes = new WatchedNodes(session, bell.ring);
  const { clock } = options;
  let epoch = -1;
  let thoroughAtMs = 0;
  try {
    bell.ring();
    let waitMs = THOROUGH_MS;
    let fleet = 0;
    while (!signal.aborted) {
      await bell.wait(waitMs, signal);
      if (signal.aborted) break;
      // A fleet that wakes at once must not ask at once.
      if (fleet > 0) await pause(clock, clock.random() * fleet * SPREAD_MS_PER_HOST, signal);
      if (!format.isKnown) {
        waitMs = THOROUGH_MS;
        const { problem } = format;
        if (problem !== null) options.onSnapshot({ ...unreadSnapshot, problem: problem.explained });
        continue;
      }
      const before = session.epoch;
      try {
        // Another server may answer the new session and lag behind; an older wish must never be followed again.
        if (before !== epoch) await session.client.sync("/", { signal });
        const isThorough = before !== epoch || clock.monotonicMs() >= thoroughAtMs;
        const snapshot = await readWish(options, { zk: session.client, nodes, signal, isThorough });
        epoch = before;
        ({ fleet } = snapshot);
        if (isThorough) thoroughAtMs = clock.monotonicMs() + THOROUGH_MS * (0.5 + clock.random());
        waitMs = Math.max(0, thoroughAtMs - clock.monotonicMs());
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
