import { abortedError, throwIfAborted } from "./abort.ts";
import type { Clock } from "./clock.ts";

/**
 * Runs `work` with a signal that is aborted after `ms` or when `signal` is, whichever is first. It does not wait for
 * work that ignores its signal.
 *
 * @throws what `makeError` makes when the time is over, DeployError `aborted` when `signal` was aborted, else what
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
  // Whoever loses the race is not awaited by anybody any more.
  ended.catch(() => {});
  const cancel = clock.after(ms, () => {
    const error = makeError();
    end(error);
    over.abort(error);
  });
  const onAbort = (): void => {
    end(abortedError("finish the work", signal));
    over.abort(signal.reason);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work(over.signal), ended]);
  } finally {
    cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

/**
 * Does all of it at once. When one fails the others are called off, and when all have ended its error is thrown.
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
