import { eventually as eventuallyWithin } from "./eventually.ts";

/*
 * How long is waited for what must come true in the end, on a machine that may be busy with other things. Nothing takes
 * this long when it works, so these only say how late a failure is noticed.
 */

/** For the starting and ending of servers around the tests of a file. */
export const HOOK_MS = 120_000;
export const TEST_MS = 300_000;
const CLAIM_MS = 60_000;

/** Like `eventually` of the other tests, with a deadline that is fit for whole machines. */
export async function eventually<T>(claim: () => T | Promise<T>): Promise<Exclude<T, false | null | undefined>> {
  return eventuallyWithin(claim, CLAIM_MS);
}
