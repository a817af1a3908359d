import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { amountSchema, limitsSchema, maxAmountSchema } from "../../src/schema/limits.ts";
import { parse } from "../../src/schema/problems.ts";

function problems(schema: z.ZodType, input: unknown): string[] {
  const parsed = parse(schema, input);
  return parsed.ok ? [] : parsed.problems;
}

const kinds = "a count as in 5, a percentage as in 10%, or both as in 5,10% is required";

test.each([0, 1, 10_000, "0%", "10%", "2.5%", "0.001%", "100%", "100.000%", "5,10%", "0,0%", "007,010%"])(
  "the amount %p is kept as it is written",
  (amount) => {
    expect(parse(amountSchema, amount)).toEqual({ ok: true, value: amount as number });
  },
);

test.each([
  [-1, "it must be at least 0"],
  [2.5, "a whole number is required, not 2.5"],
  [2 ** 53, "it must be at most 9007199254740991"],
  ["5", "a count alone is a number, and is written without quotes"],
  ["101%", "it must be at most 100%"],
  ["100.001%", "it must be at most 100%"],
  ["1.2345%", "a percentage has at most three decimals"],
  [".5%", "a percentage as in 10% or 2.5% is required"],
  ["5,%", "a percentage as in 10% or 2.5% is required"],
  ["5,10", "a percentage as in 10% or 2.5% is required"],
  ["5,101%", "it must be at most 100%"],
  ["99999999999999999,1%", "it must be at most 9007199254740991"],
  ["10%,5", "the count comes first, as in 5,10%"],
  ["-5%", kinds],
  ["%", kinds],
  ["", kinds],
  [" 5", kinds],
  ["5,6,7%", kinds],
  ["1e2%", kinds],
  ["all", kinds],
  ["5%\n", kinds],
  [null, kinds],
  [true, kinds],
  [[5], kinds],
  [undefined, "it is missing"],
])("%p is no amount: %s", (input, problem) => {
  expect(problems(amountSchema, input)).toEqual([problem]);
});

test.each([
  [0, "it must be at least 1"],
  ["0,10%", "it must be at least 1"],
  ["0%", "it must be more than 0%"],
  ["5,0.000%", "it must be more than 0%"],
  ["x", kinds],
])("%p hosts at once would never let a deploy move: %s", (input, problem) => {
  expect(problems(maxAmountSchema, input)).toEqual([problem]);
});

describe("the limits of a deploy", () => {
  test("today's records, and what a newer deployd adds, stay as they are", () => {
    const limits = { max: 3, budget: 0, soakMs: 5_000, zoneMax: 2 };
    expect(limitsSchema.parse(limits)).toEqual(limits);
  });

  test("all that may be said is read", () => {
    const limits = {
      max: "5,10%" as const,
      maxPerZone: "50%" as const,
      budget: "2%" as const,
      soakMs: 0,
      firstZoneSoakMs: 600_000,
      progressMs: 1000,
    };
    expect(limitsSchema.parse(limits)).toEqual(limits);
  });

  test("each problem names its key", () => {
    const limits = { max: 0, maxPerZone: "0%", budget: -1, firstZoneSoakMs: -1, progressMs: 999 };
    expect(problems(limitsSchema, limits)).toEqual([
      '"max": it must be at least 1',
      '"maxPerZone": it must be more than 0%',
      '"budget": it must be at least 0',
      '"soakMs": it is missing',
      '"firstZoneSoakMs": it must be at least 0',
      "and 1 more",
    ]);
    expect(problems(limitsSchema, { soakMs: 0 })).toEqual(['"max": it is missing', '"budget": it is missing']);
  });
});
