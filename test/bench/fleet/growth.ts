/** What was measured at each number of hosts, smallest first, for a figure's detail: how it grows. */
export type Growth<T> = ReadonlyMap<number, T>;

export function grown<T>(growth: Growth<T>, value: (of: T) => unknown): Record<string, unknown> {
  return Object.fromEntries([...growth].map(([size, of]) => [`at ${size}`, value(of)]));
}

/** By how much a value grows for one more host, between the first two sizes and between the last two; null for fewer than three. */
export function slopes<T>(growth: Growth<T>, value: (of: T) => number): readonly [number, number] | null {
  const points = [...growth].map(([size, of]) => ({ size, value: value(of) }));
  const [first, second] = points;
  const [beforeLast, last] = points.slice(-2);
  if (points.length < 3 || !first || !second || !beforeLast || !last) return null;
  const slope = (from: typeof first, to: typeof first): number => (to.value - from.value) / (to.size - from.size);
  return [slope(first, second), slope(beforeLast, last)];
}
