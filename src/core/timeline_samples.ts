import { hostStateSchema, type HostState } from "../schema/host_state.ts";
import type { StateCounts } from "./host_state.ts";

/** How many hosts were in each state at an instant. */
export interface Sample {
  readonly atMs: number;
  readonly counts: StateCounts;
}

interface Samples {
  readonly samples: readonly Sample[];
  readonly everyMs: number;
}

/** More than a picture has columns. */
const MOST_SAMPLES = 480;

const OUT: readonly HostState[] = ["restarting", "soaking", "going back"];

/** How many hosts are out of service by the deploy's doing. */
export function outIn(counts: StateCounts): number {
  return OUT.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
}

/** How many hosts there are. */
export function fleetSize(counts: StateCounts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** What must not vanish, however coarse a timeline becomes: the most hosts in each state, and the most of them out. */
const PEAKS: readonly ((counts: StateCounts) => number)[] = [
  ...hostStateSchema.options.map((state) => (counts: StateCounts) => counts[state] ?? 0),
  outIn,
];

/** With one more sample, the last and exact; where there are too many, half of those before are left out. */
export function withSample({ samples, everyMs }: Samples, sample: Sample): Samples {
  const last = samples.at(-1);
  const before = samples.at(-2);
  if (last !== undefined && isSame(last.counts, sample.counts)) return { samples, everyMs };
  const isTooClose = last !== undefined && before !== undefined && last.atMs - before.atMs < everyMs;
  const kept = isTooClose && !peaksOf(samples).has(last) ? samples.slice(0, -1) : samples;
  const all = [...kept, sample];
  return all.length <= MOST_SAMPLES ? { samples: all, everyMs } : halved({ samples: all, everyMs });
}

/**
 * With half as many samples: of each two neighbours one. Only such as were seen are left, so that each adds up to the
 * whole fleet; the first, the last and those with the most of something stay.
 */
export function halved({ samples, everyMs }: Samples): Samples {
  const staying = peaksOf(samples);
  for (const end of [samples[0], samples.at(-1)]) if (end !== undefined) staying.add(end);
  const kept: Sample[] = [];
  for (let at = 0; at < samples.length; at += 2) {
    const pair = samples.slice(at, at + 2);
    const must = pair.filter((each) => staying.has(each));
    kept.push(...(must.length > 0 ? must : pair.toSorted(worseFirst).slice(0, 1)));
  }
  return { samples: kept, everyMs: everyMs * 2 };
}

function worseFirst({ counts: a }: Sample, { counts: b }: Sample): number {
  return (b.failed ?? 0) - (a.failed ?? 0) || outIn(b) - outIn(a);
}

/** For each thing that must not vanish the first sample that has the most of it. */
function peaksOf(samples: readonly Sample[]): Set<Sample> {
  const peaks = new Set<Sample>();
  for (const measure of PEAKS) {
    let most = 0;
    let peak: Sample | null = null;
    for (const sample of samples) {
      const value = measure(sample.counts);
      if (value > most) [most, peak] = [value, sample];
    }
    if (peak !== null) peaks.add(peak);
  }
  return peaks;
}

function isSame(a: StateCounts, b: StateCounts): boolean {
  return hostStateSchema.options.every((state) => (a[state] ?? 0) === (b[state] ?? 0));
}
