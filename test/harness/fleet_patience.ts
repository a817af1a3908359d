/*
 * How long is waited for what must come true in the end, on a machine that may be busy with other things. Nothing takes
 * this long when it works, so these only say how late a failure is noticed.
 */

/** For the starting and ending of servers around the tests of a file. */
export const HOOK_MS = 120_000;
export const TEST_MS = 300_000;
