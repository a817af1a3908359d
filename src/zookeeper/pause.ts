/** Waits, or less when `signal` aborts. */
export async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  if (delayMs <= 0 || signal.aborted) return;
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, delayMs);
  const onAbort = (): void => over.resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  await over.promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", onAbort);
}
