import type { Clock } from "../clock.ts";

/** Waits, or less when `signal` aborts. */
export async function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (delayMs <= 0 || signal.aborted) return;
  const over = Promise.withResolvers<void>();
  const cancel = clock.after(delayMs, over.resolve);
  const onAbort = (): void => over.resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  await over.promise;
  cancel();
  signal.removeEventListener("abort", onAbort);
}
