import { DeployError } from "../core/errors.ts";
import { Bell, pause } from "../support/bell.ts";
import { withDeadline } from "../support/wait.ts";
import type { WatchEvent, WatchHandler, ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import { mayPass, type LastingConnection } from "./lasting_connection.ts";
import type { Watched } from "./watched.ts";

export type Reading<T> =
  | { readonly kind: "read"; readonly value: T }
  /** ZooKeeper is away; what was read last is this many milliseconds old. */
  | { readonly kind: "stale"; readonly forMs: number; readonly reason: string }
  /** Nothing new; a second has passed. */
  | { readonly kind: "tick" };

export interface ReadingTimes {
  /** Changes that come closer together than this are read as one. */
  readonly coalesceMs: number;
  /** All is read again after so long whatever the watches say: one can be lost in ways nobody has thought of. */
  readonly againMs: number;
  readonly tickMs: number;
  readonly readTimeoutMs: number;
}

const readingTimes: ReadingTimes = { coalesceMs: 100, againMs: 5_000, tickMs: 1_000, readTimeoutMs: 15_000 };

/** Of the time, at most this share goes into reading: a watcher of a big fleet must be no load on ZooKeeper. */
const READING_SHARE = 0.2;

/**
 * What is watched, read on every change and now and then, for as long as the signal is not aborted. It outlives lost
 * connections and expired sessions. Servers without recursive watches (before 3.6) are asked every second.
 *
 * @throws what reading it throws, unless that may pass
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
  /** When all of it was read last, and not only what had changed. */
  let wholeAt = readAt;
  const onAnything = (): void => {
    watched.markAll();
    changed = true;
    bell.ring();
  };
  const onEvent = (event: WatchEvent): void => {
    if (event.type === "reconnected" || event.type === "lost") return onAnything();
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
      if (!changed && clock.monotonicMs() - readAt < againMs) {
        yield { kind: "tick" };
        await bell.wait(times.tickMs, signal);
        continue;
      }
      const startedAt = clock.monotonicMs();
      if (startedAt - wholeAt >= againMs) {
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
        pauseMs = Math.max(times.coalesceMs, (readAt - startedAt) / READING_SHARE);
        yield { kind: "read", value };
      } catch (error) {
        if (signal.aborted) return;
        if (!mayPass(error)) throw error;
        watched.markAll();
        changed = true;
        yield stale(error instanceof Error ? error.message : String(error));
      }
      // A pause of its own, that no change cuts short: this is what turns a storm of changes into one reading.
      await pause(clock, pauseMs, signal);
    }
  } finally {
    stop();
  }
}

/** @returns false where the server knows no recursive watches */
async function watch(zk: ZooKeeper, paths: readonly string[], onEvent: WatchHandler): Promise<boolean> {
  // Another server may answer a new session, and lag behind what was read from the last one.
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
