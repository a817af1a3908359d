import type { z } from "zod";
import { parse } from "../schema/problems.ts";

/*
 * Parsers for flags and arguments. An error that they throw is shown with the word that was typed and the flag before it.
 */

/** A parser for free text. */
export function anyText(input: string): string {
  return input;
}

/** A parser for whole numbers from `min` to `max`, both included. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): (input: string) => number {
  return (input) => {
    const value = Number(input);
    if (/^\d+$/.test(input) && value >= min && value <= max) return value;
    throw new Error(`a whole number from ${min} ${max === Number.MAX_SAFE_INTEGER ? "on" : `to ${max}`} is required`);
  };
}

/** A parser for times in seconds; fractions are allowed. */
export function seconds(input: string): number {
  const value = Number(input);
  if (/^\d+(\.\d+)?$/.test(input) && value <= 10_000_000) return value;
  throw new Error("a time in seconds is required, as in 90 or 0.5");
}

/** A parser for whatever the schema describes, in most cases a name. */
export function matching<S extends z.ZodType<string>>(schema: S): (input: string) => z.output<S> {
  return (input) => {
    const parsed = parse(schema, input);
    if (parsed.ok) return parsed.value;
    throw new Error(parsed.problems.join("; "));
  };
}

/** A boolean flag: it is given or not. */
export function isGiven(brief: string) {
  return { kind: "boolean", brief, optional: true, withNegated: false } as const;
}

export interface JsonFlag {
  readonly json: boolean | undefined;
}

/** The flag of every verb that has an answer for programs. */
export const jsonFlag = isGiven("Print JSON on stdout and nothing else there");
