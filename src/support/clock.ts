import { abortedError } from "./wait.ts";

/** Time as a port, so that what waits can be tested without waiting. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** @throws DeployError `aborted` as soon as `signal` is aborted */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** setTimeout fires at once when asked for more than this. */
const LONGEST_TIMER_MS = 2_147_483_647;

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    for (let leftMs = ms; ; leftMs -= LONGEST_TIMER_MS) {
      await timer(Math.min(leftMs, LONGEST_TIMER_MS), signal);
      if (leftMs <= LONGEST_TIMER_MS) return;
    }
  },
};

async function timer(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (signal?.aborted === true) throw abortedError("wait", signal);
  const timeout = setTimeout(resolve, Math.max(0, ms));
  const onAbort = (): void => reject(abortedError("wait", signal));
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    await promise;
  } finally {
    clearTimeout(timeout);
    signal?.removeEventListener("abort", onAbort);
  }
}
