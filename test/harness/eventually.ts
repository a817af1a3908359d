/** Under the limit of a test of its own, so that a claim that fails says which. Nothing takes so long when it works. */
const DEADLINE_MS = 45_000;

/** Between two askings: twice as long as one takes, so that one that computes leaves the processor to what it waits for. */
const PAUSE_MS = { least: 15, most: 250 };

/**
 * Asks `claim` again and again until it holds and returns what it returned. A claim holds when it returns anything but
 * `false`, `null` or `undefined`, and throws nothing.
 *
 * @param claim what must become true
 * @param deadlineMs how long it may take, in milliseconds; the last failure is then thrown
 */
export async function eventually<T>(
  claim: () => T | Promise<T>,
  deadlineMs = DEADLINE_MS,
): Promise<Exclude<T, false | null | undefined>> {
  const endsAt = performance.now() + deadlineMs;
  let last: unknown = "the claim never returned";
  for (;;) {
    const askedAt = performance.now();
    try {
      const value = await claim();
      if (value !== false && value !== null && value !== undefined) {
        return value as Exclude<T, false | null | undefined>;
      }
      last = `the claim returned ${String(value)}`;
    } catch (error) {
      last = error;
    }
    const now = performance.now();
    if (now >= endsAt) {
      throw new Error(`Not true after ${deadlineMs} ms: ${claim.toString().slice(0, 300)}`, { cause: last });
    }
    await Bun.sleep(Math.min(PAUSE_MS.most, Math.max(PAUSE_MS.least, 2 * (now - askedAt))));
  }
}
