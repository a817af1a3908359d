/** A percentage as it is typed, `10%` or `2.5%`, also where a count stands before it, `5,10%`. */
export type PercentText = `${string}%`;

/** How many thousandths of a percent are the whole. */
export const WHOLE = 100_000;

const PERCENT = /^(\d+)(?:\.(\d+))?%$/;

/** Why the text is no percentage from 0% to 100%; null when it is one. */
export function percentProblem(text: string): string | null {
  const [matched, , decimals = ""] = PERCENT.exec(text) ?? [];
  if (matched === undefined) return "a percentage as in 10% or 2.5% is required";
  if (decimals.length > 3) return "a percentage has at most three decimals";
  return thousandthsOf(text) > WHOLE ? "it must be at most 100%" : null;
}

/**
 * The percentage in thousandths of a percent: 2500 for `2.5%`. Being a whole number, it makes shares of hosts exact, where
 * 28.7 times 1000 in floating point is a little less than 28,700.
 *
 * @param text a percentage (`percentProblem`)
 */
export function thousandthsOf(text: string): number {
  const [, whole = "", decimals = ""] = PERCENT.exec(text) ?? [];
  return Number(whole) * 1000 + Number(decimals.padEnd(3, "0"));
}
