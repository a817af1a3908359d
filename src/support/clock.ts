import { randomBytes } from "node:crypto";
import { abortedError, onAbort } from "./abort.ts";

/**
 * Time and randomness behind one interface, so that a whole fleet can run on a simulated clock and from a seed. Nothing
 * else in src/ asks the runtime for either (a static test checks that).
 */
export interface Clock {
  /** Milliseconds since the epoch. Only for people and records: it jumps when somebody sets the machine's clock. */
  now(): number;
  /** Milliseconds since an arbitrary moment of this machine's run; it never goes back. For durations. */
  monotonicMs(): number;
  /** Calls `work` once, after `ms` milliseconds. Returns a function that cancels it. */
  after(ms: number, work: () => void): () => void;
  /** Like `after`, for work that must not keep the process alive. */
  afterIdly(ms: number, work: () => void): () => void;
  /** @throws DeployError `aborted` as soon as `signal` is aborted */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** A signal that is aborted after `ms` milliseconds, with a TimeoutError as its reason. */
  deadline(ms: number): AbortSignal;
  /** Lets everything else that is ready to run have a turn of the event loop. */
  turn(): Promise<void>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Cryptographically secure random bytes. */
  randomBytes(count: number): Uint8Array;
}

/** setTimeout fires at once if asked for more than this, in milliseconds. */
const LONGEST_TIMER_MS = 2_147_483_647;

/** What a clock needs of its machine; everything else is derived from it. */
type ClockSource = Pick<Clock, "now" | "monotonicMs" | "after" | "afterIdly" | "turn" | "random" | "randomBytes">;

/** A clock whose waits are built on the source's timers. */
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

/** Calls `work` repeatedly, `ms` milliseconds apart. Returns a function that stops it. */
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

/** The machine's own time and randomness: the only place that asks the runtime for them. */
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

/** A function of its own, because its closure would otherwise be kept for every short timer too. */
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
