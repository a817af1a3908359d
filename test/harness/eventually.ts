/**
 * Asks `claim` again and again until it holds and returns what it returned. A claim holds when it returns anything but
 * `false`, `null` or `undefined`, and throws nothing.
 *
 * @param claim what must become true
 * @param deadlineMs how long it may take, in milliseconds; the last failure is then thrown
 */
export async function eventually<T>(
  claim: () => T | Promise<T>,
  deadlineMs = 10_000,
): Promise<Exclude<T, false | null | undefined>> {
  const endsAt = performance.now() + deadlineMs;
  let last: unknown = "the claim never returned";
  for (;;) {
    try {
      const value = await claim();
      if (value !== false && value !== null && value !== undefined) {
        return value as Exclude<T, false | null | undefined>;
      }
      last = `the claim returned ${String(value)}`;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= endsAt) {
      throw new Error(`Not true after ${deadlineMs} ms: ${claim.toString().slice(0, 300)}`, { cause: last });
    }
    await Bun.sleep(15);
  }
}
