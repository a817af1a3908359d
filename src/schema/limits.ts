import { z } from "zod";
import { percentProblem, thousandthsOf, type PercentText } from "./percent.ts";

/*
 * How far a deploy may go. An amount of hosts is a count, a percentage or both, and a record keeps it as the operator typed
 * it: how many hosts a percentage is depends on the fleet, and is computed where the fleet is known (core/limits.ts).
 */

/** `5`, `"10%"`, or `"5,10%"`: the smaller of both. */
export type Amount = number | PercentText;

/** What an amount is made of; null stands for the part that it does not have. */
export interface AmountParts {
  readonly count: number | null;
  /** The percentage, in thousandths of a percent. */
  readonly thousandths: number | null;
}

const BOTH = /^(\d+),([^,]*)$/;

export function amountParts(amount: Amount): AmountParts {
  if (typeof amount === "number") return { count: amount, thousandths: null };
  const [, count, percent] = BOTH.exec(amount) ?? [];
  if (count === undefined || percent === undefined) return { count: null, thousandths: thousandthsOf(amount) };
  return { count: Number(count), thousandths: thousandthsOf(percent) };
}

/** Why the value is no amount of hosts; null when it is one. */
function amountProblem(value: unknown): string | null {
  if (value === undefined) return "it is missing";
  if (typeof value === "number") return countProblem(value);
  if (typeof value !== "string") return "a count as in 5, a percentage as in 10%, or both as in 5,10% is required";
  if (/^\d+$/.test(value)) return "a count alone is a number, and is written without quotes";
  if (/%,\d+$/.test(value)) return "the count comes first, as in 5,10%";
  const [, count, percent] = BOTH.exec(value) ?? [];
  if (count !== undefined && percent !== undefined) return countProblem(Number(count)) ?? percentProblem(percent);
  if (/^[\d.]+%$/.test(value)) return percentProblem(value);
  return "a count as in 5, a percentage as in 10%, or both as in 5,10% is required";
}

function countProblem(count: number): string | null {
  if (!Number.isInteger(count)) return `a whole number is required, not ${count}`;
  if (count < 0) return "it must be at least 0";
  return Number.isSafeInteger(count) ? null : `it must be at most ${Number.MAX_SAFE_INTEGER}`;
}

/** With none at all a deploy could never move, so that zero is a mistake and not a wish. */
function noneProblem(amount: Amount): string | null {
  const { count, thousandths } = amountParts(amount);
  if (count === 0) return "it must be at least 1";
  return thousandths === 0 ? "it must be more than 0%" : null;
}

function amountOf(also: (amount: Amount) => string | null) {
  return z.custom<Amount>().superRefine((value, context) => {
    const problem = amountProblem(value) ?? also(value);
    if (problem !== null) context.addIssue({ code: "custom", message: problem });
  });
}

/** An amount of hosts, which may be none. */
export const amountSchema = amountOf(() => null);

/** An amount of hosts that may be out of service at once: at least one, if it is a count. */
export const maxAmountSchema = amountOf(noneProblem);

/** The limits of a deploy. */
export const limitsSchema = z.looseObject({
  /** Hosts that may be out of service at once. */
  max: maxAmountSchema,
  /** The same for the hosts of each zone. */
  maxPerZone: maxAmountSchema.optional(),
  /** Hosts that may fail before the deploy halts. */
  budget: amountSchema,
  /** Milliseconds a host must stay healthy before its slot is given back. */
  soakMs: z.int().min(0),
  /** The same for the hosts of the first zone that the deploy comes to, which is to show what the others would suffer. */
  firstZoneSoakMs: z.int().min(0).optional(),
  /** Milliseconds without any host moving after which the deploy halts; `progressMsOf` has the default. */
  progressMs: z.int().min(1000).optional(),
});
export type Limits = z.output<typeof limitsSchema>;
