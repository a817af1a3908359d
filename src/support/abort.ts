import { DeployError } from "../core/errors.ts";

/** The error of everything that was given up because its signal was aborted. `attempted` follows "Cannot". */
export function abortedError(attempted: string, signal?: AbortSignal): DeployError {
  const reason: unknown = signal?.reason;
  return new DeployError(`Cannot ${attempted}: it was called off.`, {
    code: "aborted",
    retry: true,
    ...(reason === undefined ? {} : { cause: reason }),
  });
}

/** @throws DeployError `aborted` if `signal` is already aborted; `attempted` follows "Cannot" */
export function throwIfAborted(signal: AbortSignal, attempted: string): void {
  if (signal.aborted) throw abortedError(attempted, signal);
}

/**
 * Calls `work` when the signal is aborted, or at once if it already is.
 *
 * @returns a function that unsubscribes it
 */
export function onAbort(signal: AbortSignal, work: () => void): () => void {
  if (signal.aborted) work();
  signal.addEventListener("abort", work, { once: true });
  return () => signal.removeEventListener("abort", work);
}

/** `soon` stops new work, `now` also stops a restart that is under way. */
export interface StopSignals {
  readonly soon: AbortSignal;
  readonly now: AbortSignal;
}
