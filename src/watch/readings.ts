import { DeployError } from "../core/errors.ts";
import { Bell, pause } from "../support/bell.ts";
import { withDeadline } from "../support/wait.ts";
import type { WatchEvent, WatchHandler, ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import { isOfTimelines } from "../store/timelines.ts";
import { mayPass, type LastingConnection } from "./lasting_connection.ts";
import type { Watched } from "./watched.ts";

export type Reading<T> =
  | { readonly kind: "read"; readonly value: T }
  /** ZooKeeper is unreachable; the last reading is this many milliseconds old. */
  | { readonly kind: "stale"; readonly forMs: number; readonly reason: string }
  /** Nothing new; a second has passed. */
  | { readonly kind: "tick" };

export interface ReadingTimes {
  /** Changes that are less than this far apart are read together, once. */
  readonly coalesceMs: number;
  /** Everything is read again after this time, whatever the watches say, in case one was lost. */
  readonly againMs: number;
  readonly tickMs: number;
  readonly readTimeoutMs: number;
}

const readingTimes: ReadingTimes = { coalesceMs: 100, againMs: 5_000, tickMs: 1_000, readTimeoutMs: 15_000 };

/** Reading takes at most this share of the time: watching a big fleet must not put load on ZooKeeper. */
const READING_SHARE = 0.2;
/** And reading everything, in case a watch was lost, this share: of a fleet of thousands that takes a second. */
const WHOLE_SHARE = 0.05;

/**
 * Reads what is watched on every change, and again at intervals, until the signal is aborted. It survives lost
 * connections and expired sessions. Servers without recursive watches (before 3.6) are polled every second.
 *
 * @throws what reading it throws, unless that may be transient
 */
export async function* readings<T>(
  connection: LastingConnection,
  watched: Watched<T>,
  signal: AbortSignal,
  times: ReadingTimes = readingTimes,
): AsyncGenerator<Reading<T>> {
  const { clock } = connection;
  const bell = new Bell(clock);
  let changed = true;
  let watchedBy: ZooKeeper | null = null;
  let againMs = times.againMs;
  let readAt = clock.monotonicMs();
  /** When everything was last read, not only what had changed. */
  let wholeAt = readAt;
  let wholeMs = 0;
  const againIn = (): number => Math.max(againMs, wholeMs / WHOLE_SHARE);
  const onAnything = (): void => {
    watched.markAll();
    changed = true;
    bell.ring();
  };
  const onEvent = (event: WatchEvent): void => {
    if (event.type === "reconnected" || event.type === "lost") return onAnything();
    // A deploy's timeline is written every few seconds, and nothing of it is shown here.
    if (isOfTimelines(event.path)) return;
    watched.mark(event.path);
    changed = true;
    bell.ring();
  };
  const stop = connection.onChange(onAnything);
  const stale = (reason: string): Reading<T> => ({ kind: "stale", forMs: clock.monotonicMs() - readAt, reason });
  try {
    while (!signal.aborted) {
      const zk = connection.connected();
      if (zk === null) {
        yield stale(connection.reason);
        await bell.wait(times.tickMs, signal);
        continue;
      }
      if (!changed && clock.monotonicMs() - readAt < againIn()) {
        yield { kind: "tick" };
        await bell.wait(times.tickMs, signal);
        continue;
      }
      const startedAt = clock.monotonicMs();
      const isWhole = watchedBy !== zk || startedAt - wholeAt >= againIn();
      if (isWhole) {
        watched.markAll();
        wholeAt = startedAt;
      }
      changed = false;
      let pauseMs = times.tickMs;
      try {
        if (watchedBy !== zk) {
          watched.markAll();
          againMs = (await watch(zk, watched.paths, onEvent)) ? times.againMs : times.tickMs;
          watchedBy = zk;
        }
        const value = await withDeadline(
          () => watched.read(zk),
          times.readTimeoutMs,
          signal,
          clock,
          () => slow(watched.paths, times),
        );
        readAt = clock.monotonicMs();
        if (isWhole) wholeMs = readAt - startedAt;
        pauseMs = Math.max(times.coalesceMs, (readAt - startedAt) / READING_SHARE);
        yield { kind: "read", value };
      } catch (error) {
        if (signal.aborted) return;
        if (!mayPass(error)) throw error;
        watched.markAll();
        changed = true;
        yield stale(error instanceof Error ? error.message : String(error));
      }
      // This pause is not cut short by a change: it turns a burst of changes into one reading.
      await pause(clock, pauseMs, signal);
    }
  } finally {
    stop();
  }
}

/** @returns false if the server does not support recursive watches */
async function watch(zk: ZooKeeper, paths: readonly string[], onEvent: WatchHandler): Promise<boolean> {
  // A new session may be with another server, which may lag behind what was read in the last one.
  await zk.sync("/");
  try {
    for (const path of paths) await zk.addWatch(path, "persistent-recursive", onEvent);
    return true;
  } catch (error) {
    if (isZooKeeperError(error, "UNIMPLEMENTED")) return false;
    throw error;
  }
}

function slow([path = ""]: readonly string[], times: ReadingTimes): DeployError {
  return new DeployError(`Cannot read ${path}: ZooKeeper did not answer within ${times.readTimeoutMs / 1000} s.`, {
    code: "zookeeper-unreachable",
    retry: true,
  });
}
