export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle];
  const lower = sorted.length % 2 === 1 ? upper : sorted[middle - 1];
  if (upper === undefined || lower === undefined) throw new Error("the median of nothing was asked for");
  return (lower + upper) / 2;
}

/** Three significant digits, more would be noise; whole numbers from 1,000 on. */
export function rounded(value: number): number {
  return Math.abs(value) >= 1_000 ? Math.round(value) : Number(value.toPrecision(3));
}

/**
 * The items in another order each round: starting with another one, and every second time backwards, so that none is
 * always the first or always comes after the same one.
 */
export function takingTurns<T>(items: readonly T[], round: number): T[] {
  const at = items.length === 0 ? 0 : Math.floor(round / 2) % items.length;
  const turned = [...items.slice(at), ...items.slice(0, at)];
  return round % 2 === 0 ? turned : turned.toReversed();
}
