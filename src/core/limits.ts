import { amountParts, amountSchema, type Amount, type Limits } from "../schema/limits.ts";
import { WHOLE } from "../schema/percent.ts";
import { parse } from "../schema/problems.ts";
import { zoneOf, type Stage } from "../schema/stages.ts";

/** How long no host may move before a deploy halts, in milliseconds, where its limits do not say. */
const DEFAULT_PROGRESS_MS = 600_000;

/**
 * An amount of hosts as it is typed on the command line: `5`, `10%`, `5,10%`.
 *
 * @param schema `maxAmountSchema` where none at all is not allowed
 * @throws Error saying what is required instead, for a flag's parser (cli/flags.ts)
 */
export function parseAmount(text: string, schema = amountSchema): Amount {
  const parsed = parse(schema, /^\d+$/.test(text) ? Number(text) : text);
  if (parsed.ok) return parsed.value;
  throw new Error(parsed.problems.join("; "));
}

/** "5", "10%", "5 or 10%, whichever is fewer" */
export function amountText(amount: Amount): string {
  if (typeof amount === "number") return String(amount);
  const [count, percent] = amount.split(",");
  return percent === undefined ? amount : `${count} or ${percent}, whichever is fewer`;
}

/**
 * How many hosts the amount is. A percentage is rounded down, so that it is never exceeded. That is exact for fewer than
 * 2^53 thousandths: the quotient of whole numbers is then never rounded up to a whole one.
 *
 * @param base the number of hosts that a percentage is of
 */
export function hostsIn(amount: Amount, base: number): number {
  const { count, thousandths } = amountParts(amount);
  const share = thousandths === null ? Infinity : Math.floor((base * thousandths) / WHOLE);
  return Math.min(count ?? Infinity, share);
}

/** How many hosts may be out of service at once: at least one, also of a fleet so small that the percentage is less. */
export function maxHosts(amount: Amount, base: number): number {
  return Math.max(1, hostsIn(amount, base));
}

/** How many hosts may fail before a deploy halts: none, where the percentage of a small fleet is less than one host. */
export function budgetHosts(amount: Amount, base: number): number {
  return hostsIn(amount, base);
}

/** The limits alone of what has others beside them, such as a service's settings. */
export function limitsOf({ max, maxPerZone, budget, soakMs, firstZoneSoakMs, progressMs }: Limits): Limits {
  return { max, maxPerZone, budget, soakMs, firstZoneSoakMs, progressMs };
}

/** How long a host of this zone must stay healthy before its slot is given back, in milliseconds. */
export function soakMsOf(
  { limits, stages }: { readonly limits: Limits; readonly stages: readonly Stage[] },
  zone: string | undefined,
): number {
  const first = stages.map(({ hosts }) => zoneOf(hosts)).find((name) => name !== null);
  const isFirst = zone !== undefined && zone === first;
  return isFirst ? (limits.firstZoneSoakMs ?? limits.soakMs) : limits.soakMs;
}

/** How long no host may move before the deploy halts, in milliseconds. */
export function progressMsOf(limits: Pick<Limits, "progressMs">): number {
  return limits.progressMs ?? DEFAULT_PROGRESS_MS;
}
