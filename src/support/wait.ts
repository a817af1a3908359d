import { abortedError, onAbort, throwIfAborted } from "./abort.ts";
import type { Clock } from "./clock.ts";

/**
 * Runs `work` with a signal that is aborted after `ms` or when `signal` is, whichever comes first. It does not wait for
 * work that ignores its signal.
 *
 * @throws what `makeError` returns if the time is over, DeployError `aborted` if `signal` was aborted, otherwise what
 *   `work` throws
 */
export async function withDeadline<T>(
  work: (signal: AbortSignal) => Promise<T>,
  ms: number,
  signal: AbortSignal,
  clock: Pick<Clock, "after">,
  makeError: () => Error,
): Promise<T> {
  throwIfAborted(signal, "start the work");
  const over = new AbortController();
  const { promise: ended, reject: end } = Promise.withResolvers<never>();
  // Nobody awaits the loser of the race any more.
  ended.catch(() => {});
  const cancel = clock.after(ms, () => {
    const error = makeError();
    end(error);
    over.abort(error);
  });
  const forget = onAbort(signal, () => {
    end(abortedError("finish the work", signal));
    over.abort(signal.reason);
  });
  try {
    return await Promise.race([work(over.signal), ended]);
  } finally {
    cancel();
    forget();
  }
}

/**
 * Waits for `work`, but no longer than `ms` milliseconds and only until `signal` is aborted. When the wait ends, however
 * it does, the signal of `work` is aborted, so that the work stops; its end is not awaited.
 *
 * @param otherwise what is returned instead of the answer: `late` if the time is over, `calledOff` if `signal` was
 *   aborted
 * @throws what `work` throws before that
 */
export async function answerWithin<T>(
  work: (signal: AbortSignal) => Promise<T>,
  ms: number,
  otherwise: { readonly late: T; readonly calledOff: T },
  signal: AbortSignal,
  clock: Pick<Clock, "after">,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const over = new AbortController();
  const cancel = clock.after(ms, () => resolve(otherwise.late));
  const forget = onAbort(signal, () => resolve(otherwise.calledOff));
  work(over.signal).then(resolve, reject);
  try {
    return await promise;
  } finally {
    cancel();
    forget();
    over.abort();
  }
}

/** The pause between two looks, and the deadline. In milliseconds. */
export interface LookAgain {
  readonly everyMs: number;
  readonly withinMs: number;
}

/**
 * Looks at once, and again after each pause, until the result is enough or the time is over by the clock. It looks at
 * least once.
 *
 * @returns what it saw last, which is not enough if the time is over
 * @throws DeployError `aborted` if `signal` is aborted in a pause; what `look` throws
 */
export async function until<T>(
  look: () => Promise<T>,
  isEnough: (seen: T) => boolean,
  { everyMs, withinMs }: LookAgain,
  clock: Pick<Clock, "monotonicMs" | "sleep">,
  signal?: AbortSignal,
): Promise<T> {
  const endsAt = clock.monotonicMs() + withinMs;
  for (;;) {
    const seen = await look();
    if (isEnough(seen) || clock.monotonicMs() >= endsAt) return seen;
    await clock.sleep(everyMs, signal);
  }
}

/**
 * Like `until`, but the time is added up from the pauses: a machine that was suspended meanwhile, or slow to answer, does
 * not get fewer looks.
 */
export async function untilByPauses<T>(
  look: () => Promise<T>,
  isEnough: (seen: T) => boolean,
  { everyMs, withinMs }: LookAgain,
  clock: Pick<Clock, "sleep">,
  signal?: AbortSignal,
): Promise<T> {
  for (let waitedMs = 0; ; waitedMs += everyMs) {
    const seen = await look();
    if (isEnough(seen) || waitedMs >= withinMs) return seen;
    await clock.sleep(everyMs, signal);
  }
}

/**
 * Runs all of it concurrently. If one fails, the others are aborted, and once all have ended its error is thrown.
 *
 * @throws the first failure
 */
export async function together(
  works: readonly ((signal: AbortSignal) => Promise<void>)[],
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  let first: { readonly error: unknown } | null = null;
  await Promise.all(
    works.map(async (work) => {
      try {
        await work(either);
      } catch (error) {
        first ??= { error };
        stop.abort(error);
      }
    }),
  );
  const failed = first as { readonly error: unknown } | null;
  if (failed !== null) throw failed.error;
}
