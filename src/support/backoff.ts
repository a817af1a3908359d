export interface BackoffPolicy {
  /** Upper bound of the first pause, in milliseconds. */
  readonly firstMs: number;
  /** Upper bound of every pause, in milliseconds. */
  readonly maxMs: number;
  /** The factor by which the bound grows from pause to pause; 2 unless given. */
  readonly factor?: number;
}

/**
 * The pause before retry number `attempt` + 1, in milliseconds: uniform between 0 and min(max, first × factor^attempt).
 * This is "full jitter" of Marc Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): of the usual
 * variants it spreads a thousand hosts that failed at the same instant the widest.
 *
 * @param attempt 0 for the first pause
 * @param random uniform in [0, 1)
 */
export function backoffMs(attempt: number, policy: BackoffPolicy, random: () => number): number {
  const bound = Math.min(policy.maxMs, policy.firstMs * (policy.factor ?? 2) ** Math.max(0, attempt));
  return Math.floor(random() * bound);
}
