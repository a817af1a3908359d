import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  amountText,
  budgetHosts,
  hostsIn,
  maxHosts,
  parseAmount,
  progressMsOf,
  soakMsOf,
} from "../../src/core/limits.ts";
import { amountSchema, maxAmountSchema, type Amount } from "../../src/schema/limits.ts";
import type { PercentText } from "../../src/schema/percent.ts";
import { parseStages } from "../../src/core/stages.ts";
import { parse } from "../../src/schema/problems.ts";

const base = fc.oneof(fc.nat(50), fc.nat(10_000), fc.nat(10_000_000));
const thousandths = fc.oneof(fc.constantFrom(0, 1, 99_999, 100_000), fc.nat(100_000));

/** A person writes only the decimals that say something, a program may write all. */
function percent(thousandths: number, trimmed: boolean): PercentText {
  const written = `${Math.floor(thousandths / 1000)}.${String(thousandths % 1000).padStart(3, "0")}`;
  return `${trimmed ? written.replace(/\.?0+$/, "") : written}%`;
}

const percentage = fc.tuple(thousandths, fc.boolean()).map((written) => percent(...written));
const amount: fc.Arbitrary<Amount> = fc.oneof(
  fc.nat(20_000),
  percentage,
  fc.tuple(fc.nat(20_000), percentage).map(([count, share]): Amount => `${count},${share}`),
);

test.each([
  [5, 100, 5],
  ["10%", 30, 3],
  ["10%", 29, 2],
  ["28.7%", 1000, 287],
  // In floating point 100 times 0.29 is less than 29, and 10,000 times 0.57 by 100 is less than 57.
  ["29%", 100, 29],
  ["14.5%", 200, 29],
  ["0.57%", 10_000, 57],
  ["0.001%", 100_000, 1],
  ["0.001%", 99_999, 0],
  ["2.5%", 40, 1],
  ["100%", 7, 7],
  ["5,10%", 100, 5],
  ["5,10%", 30, 3],
  ["10%", 0, 0],
] as const)("%p of %d hosts are %d", (amount, base, hosts) => {
  expect(hostsIn(amount, base)).toBe(hosts);
});

describe("a percentage", () => {
  test("is rounded down exactly, however it is written", () => {
    fc.assert(
      fc.property(base, thousandths, fc.boolean(), (base, thousandths, trimmed) => {
        const exact = Number((BigInt(base) * BigInt(thousandths)) / 100_000n);
        expect(hostsIn(percent(thousandths, trimmed), base)).toBe(exact);
      }),
    );
  });

  test("of more hosts is never fewer", () => {
    fc.assert(
      fc.property(amount, base, fc.nat(100), (amount, base, more) => {
        expect(hostsIn(amount, base + more)).toBeGreaterThanOrEqual(hostsIn(amount, base));
      }),
    );
  });

  test("with a count is the smaller of both", () => {
    fc.assert(
      fc.property(base, fc.nat(20_000), percentage, (base, count, share) => {
        expect(hostsIn(`${count},${share}`, base)).toBe(Math.min(count, hostsIn(share, base)));
      }),
    );
  });
});

test("at least one host may be out at once, and the budget may be none", () => {
  expect([maxHosts("10%", 9), budgetHosts("10%", 9)]).toEqual([1, 0]);
  expect([maxHosts("10%", 20), budgetHosts("10%", 20)]).toEqual([2, 2]);
  expect([maxHosts(3, 0), budgetHosts(0, 10)]).toEqual([3, 0]);
});

test("what is typed on the command line is what the record has", () => {
  expect(parseAmount("5")).toBe(5);
  expect(parseAmount("10%")).toBe("10%");
  expect(parseAmount("5,10%")).toBe("5,10%");
  fc.assert(
    fc.property(amount, (amount) => {
      expect(parseAmount(String(amount))).toBe(amount);
      expect(parse(amountSchema, amount)).toEqual({ ok: true, value: amount });
    }),
  );
});

test("whatever else is typed is refused with what is required", () => {
  expect(() => parseAmount("ten")).toThrow("a count as in 5, a percentage as in 10%, or both as in 5,10% is required");
  expect(() => parseAmount("-1")).toThrow("a count as in 5,");
  expect(() => parseAmount("0", maxAmountSchema)).toThrow("it must be at least 1");
  expect(() => parseAmount("9".repeat(20))).toThrow("it must be at most 9007199254740991");
});

test("a person is told which of both counts", () => {
  expect(amountText(5)).toBe("5");
  expect(amountText("2.5%")).toBe("2.5%");
  expect(amountText("5,10%")).toBe("5 or 10%, whichever is fewer");
});

test("hosts of the first zone that a deploy comes to soak for longer, where its limits say so", () => {
  const limits = { max: 1, budget: 0, soakMs: 5 };
  const soaks = (stages: string, firstZoneSoakMs?: number) =>
    ["a", "b", undefined].map((zone) =>
      soakMsOf(
        {
          limits: { ...limits, ...(firstZoneSoakMs === undefined ? {} : { firstZoneSoakMs }) },
          stages: parseStages(stages),
        },
        zone,
      ),
    );
  expect(soaks("canary,zone:a,zone:b", 90)).toEqual([90, 5, 5]);
  expect(soaks("10%,zone:b,zone:a", 90)).toEqual([5, 90, 5]);
  expect(soaks("zone:a", 0)).toEqual([0, 5, 5]);
  expect(soaks("zone:a")).toEqual([5, 5, 5]);
  expect(soaks("canary,10%", 90)).toEqual([5, 5, 5]);
});

test("a deploy halts after ten minutes without progress, unless its limits say otherwise", () => {
  expect(progressMsOf({})).toBe(600_000);
  expect(progressMsOf({ progressMs: 1000 })).toBe(1000);
});
