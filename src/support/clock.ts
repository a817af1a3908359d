import { randomBytes } from "node:crypto";
import { abortedError, onAbort } from "./abort.ts";

/**
 * Time and chance as one port, so that a whole fleet can run on a time of its own and from a seed. Nothing else in src/
 * asks the runtime for either (a static test sees to it).
 */
export interface Clock {
  /** Milliseconds since the epoch. For people and records alone: it leaps when somebody sets the machine's clock. */
  now(): number;
  /** Milliseconds since some moment of this machine's run; it never goes back. For durations. */
  monotonicMs(): number;
  /** Calls `work` once, after `ms` milliseconds. Returns what calls that off. */
  after(ms: number, work: () => void): () => void;
  /** The same for what must not keep the process alive. */
  afterIdly(ms: number, work: () => void): () => void;
  /** @throws DeployError `aborted` as soon as `signal` is aborted */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** A signal that is aborted after `ms` milliseconds, with a TimeoutError as its reason. */
  deadline(ms: number): AbortSignal;
  /** Lets everything else that waits to run have a turn. */
  turn(): Promise<void>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Bytes that nobody can guess. */
  randomBytes(count: number): Uint8Array;
}

/** setTimeout fires at once when asked for more than this. */
const LONGEST_TIMER_MS = 2_147_483_647;

/** What a clock needs of its machine; the rest of it follows. */
type ClockSource = Pick<Clock, "now" | "monotonicMs" | "after" | "afterIdly" | "turn" | "random" | "randomBytes">;

/** The waits of a clock, made of its timers. */
export function clockOf(source: ClockSource): Clock {
  return {
    ...source,
    sleep: async (ms, signal) => {
      if (signal?.aborted === true) throw abortedError("wait", signal);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const cancel = source.after(Math.max(0, ms), resolve);
      const forget = signal === undefined ? () => {} : onAbort(signal, () => reject(abortedError("wait", signal)));
      try {
        await promise;
      } finally {
        cancel();
        forget();
      }
    },
    deadline: (ms) => {
      const over = new AbortController();
      source.afterIdly(ms, () => over.abort(new DOMException("The time is over.", "TimeoutError")));
      return over.signal;
    },
  };
}

/** Calls `work` again and again, `ms` milliseconds apart. Returns what ends that. */
export function every(clock: Pick<Clock, "after">, ms: number, work: () => void): () => void {
  let cancel = (): void => {};
  const arm = (): void => {
    cancel = clock.after(ms, () => {
      arm();
      work();
    });
  };
  arm();
  return () => cancel();
}

/** The machine's own time and chance: the only place where the runtime is asked for them. */
export const systemClock: Clock = clockOf({
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (ms, work) => timer(ms, work, true),
  afterIdly: (ms, work) => timer(ms, work, false),
  turn: () => new Promise((resolve) => setImmediate(resolve)),
  random: () => Math.random(),
  randomBytes: (count) => randomBytes(count),
});

function timer(ms: number, work: () => void, keepsAlive: boolean): () => void {
  if (ms > LONGEST_TIMER_MS) return longTimer(ms, work, keepsAlive);
  const handle = setTimeout(work, ms);
  if (!keepsAlive) handle.unref();
  return () => clearTimeout(handle);
}

/** By itself, since what it needs beside would be kept for every short one too. */
function longTimer(ms: number, work: () => void, keepsAlive: boolean): () => void {
  let leftMs = ms;
  let handle: ReturnType<typeof setTimeout>;
  const arm = (): void => {
    const stepMs = Math.min(leftMs, LONGEST_TIMER_MS);
    leftMs -= stepMs;
    handle = setTimeout(() => (leftMs > 0 ? arm() : work()), stepMs);
    if (!keepsAlive) handle.unref();
  };
  arm();
  return () => clearTimeout(handle);
}
