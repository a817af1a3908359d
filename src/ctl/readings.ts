import { DeployError } from "../core/errors.ts";
import { Bell, pause } from "../support/bell.ts";
import { withDeadline } from "../support/wait.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import { mayPass, type Link } from "./link.ts";

export type Reading<T> =
  | { readonly kind: "read"; readonly value: T }
  /** ZooKeeper is away; what was read last is this many milliseconds old. */
  | { readonly kind: "stale"; readonly forMs: number; readonly reason: string }
  /** Nothing new; a second has passed. */
  | { readonly kind: "tick" };

export interface ReadingTimes {
  /** Changes that come closer together than this are read as one. */
  readonly coalesceMs: number;
  /** Read again after so long whatever the watches say: one can be lost in ways nobody has thought of. */
  readonly againMs: number;
  readonly tickMs: number;
  readonly readTimeoutMs: number;
}

const readingTimes: ReadingTimes = { coalesceMs: 100, againMs: 5_000, tickMs: 1_000, readTimeoutMs: 15_000 };

/** Of the time, at most this share goes into reading: a watcher of a big fleet must be no load on ZooKeeper. */
const READING_SHARE = 0.2;

/**
 * What `read` finds below `path`, on every change there and now and then, for as long as the signal is not aborted. It
 * outlives lost connections and expired sessions. Servers without recursive watches (before 3.6) are asked every second.
 *
 * @throws what `read` throws, unless that may pass
 */
export async function* readings<T>(
  link: Link,
  path: string,
  read: (zk: ZooKeeper) => Promise<T>,
  signal: AbortSignal,
  times: ReadingTimes = readingTimes,
): AsyncGenerator<Reading<T>> {
  const { clock } = link;
  const bell = new Bell(clock);
  let changed = true;
  let watched: ZooKeeper | null = null;
  let againMs = times.againMs;
  let readAt = clock.monotonicMs();
  const onChange = (): void => {
    changed = true;
    bell.ring();
  };
  const stop = link.onChange(onChange);
  const stale = (reason: string): Reading<T> => ({ kind: "stale", forMs: clock.monotonicMs() - readAt, reason });
  try {
    while (!signal.aborted) {
      const zk = link.connected();
      if (zk === null) {
        yield stale(link.reason);
        await bell.wait(times.tickMs, signal);
        continue;
      }
      if (!changed && clock.monotonicMs() - readAt < againMs) {
        yield { kind: "tick" };
        await bell.wait(times.tickMs, signal);
        continue;
      }
      changed = false;
      const startedAt = clock.monotonicMs();
      let pauseMs = times.tickMs;
      try {
        if (watched !== zk) {
          againMs = (await watch(zk, path, onChange)) ? times.againMs : times.tickMs;
          watched = zk;
        }
        const value = await withDeadline(
          () => read(zk),
          times.readTimeoutMs,
          signal,
          clock,
          () => slow(path, times),
        );
        readAt = clock.monotonicMs();
        pauseMs = Math.max(times.coalesceMs, (readAt - startedAt) / READING_SHARE);
        yield { kind: "read", value };
      } catch (error) {
        if (signal.aborted) return;
        if (!mayPass(error)) throw error;
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
async function watch(zk: ZooKeeper, path: string, onChange: () => void): Promise<boolean> {
  // Another server may answer a new session, and lag behind what was read from the last one.
  await zk.sync("/");
  try {
    await zk.addWatch(path, "persistent-recursive", onChange);
    return true;
  } catch (error) {
    if (isZooKeeperError(error, "UNIMPLEMENTED")) return false;
    throw error;
  }
}

function slow(path: string, times: ReadingTimes): DeployError {
  return new DeployError(`Cannot read ${path}: ZooKeeper did not answer within ${times.readTimeoutMs / 1000} s.`, {
    code: "zookeeper-unreachable",
    retry: true,
  });
}
