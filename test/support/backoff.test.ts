import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { backoffMs } from "../../src/support/backoff.ts";

const nearlyOne = (): number => 1 - Number.EPSILON;
const policy = { firstMs: 100, maxMs: 5000 };

test("the bound doubles from try to try up to the maximum", () => {
  expect([0, 1, 2, 5, 6, 1000].map((attempt) => backoffMs(attempt, policy, nearlyOne))).toEqual([
    99, 199, 399, 3199, 4999, 4999,
  ]);
});

test("a pause is anything between nothing and the bound", () => {
  fc.assert(
    fc.property(fc.nat(2000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, chance) => {
      const pauseMs = backoffMs(attempt, policy, () => chance);
      expect(pauseMs).toBeGreaterThanOrEqual(0);
      expect(pauseMs).toBeLessThanOrEqual(Math.min(5000, 100 * 2 ** attempt));
    }),
  );
});
