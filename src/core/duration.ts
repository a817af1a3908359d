/** Milliseconds of each unit in which a time is typed, the longest first. */
const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];

/** The milliseconds of a time as it is typed, `90s` or `5m`: a whole number and ms, s, m or h. Null for anything else. */
export function parseDuration(text: string): number | null {
  const [, amount, unit] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? [];
  const ms = UNITS.find(([name]) => name === unit)?.[1];
  return amount === undefined || ms === undefined ? null : Number(amount) * ms;
}

/** The shortest text that `parseDuration` reads as exactly so many milliseconds. For a rough age, see view/times.ts. */
export function durationText(ms: number): string {
  if (ms === 0) return "0s";
  const [unit, each] = UNITS.find(([, each]) => ms % each === 0) ?? ["ms", 1];
  return `${ms / each}${unit}`;
}
