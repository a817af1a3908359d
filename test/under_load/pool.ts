/** Two processors manage so many loads, services and agents without their own delays showing. */
export const AT_ONCE = 3;

/**
 * Works through the jobs, so many at once and in their order.
 *
 * @returns a promise for each; one that fails stops no other
 */
export function atOnce<T, R>(limit: number, jobs: readonly T[], work: (job: T) => Promise<R>): Promise<R>[] {
  const results = jobs.map(() => Promise.withResolvers<R>());
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let number = next++; number < jobs.length; number = next++) {
      const result = results[number];
      try {
        result?.resolve(await work(jobs[number] as T));
      } catch (error) {
        result?.reject(error);
      }
    }
  };
  for (let number = 0; number < limit; number += 1) void worker();
  for (const { promise } of results) promise.catch(() => {});
  return results.map(({ promise }) => promise);
}
