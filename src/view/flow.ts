/** How fast a deploy goes, from readings of how many of its hosts were through. */
export interface Flow {
  readonly deploy: string;
  readonly samples: readonly { readonly atMs: number; readonly through: number }[];
}

/** The pace is that of the last so many milliseconds. */
const WINDOW_MS = 120_000;
/** From fewer hosts nobody can tell a pace. */
const FEWEST = 2;
const KEPT_MS = 15 * 60_000;
const MOST_SAMPLES = 600;

export const noFlow: Flow = { deploy: "", samples: [] };

/** With one more reading; another deploy begins anew. */
export function flowAfter(flow: Flow, deploy: string, through: number, atMs: number): Flow {
  const before = flow.deploy === deploy ? flow.samples : [];
  if (before.at(-1)?.through === through && before.length > 1) return { deploy, samples: before };
  const samples = [...before, { atMs, through }].filter((sample) => atMs - sample.atMs <= KEPT_MS).slice(-MOST_SAMPLES);
  return { deploy, samples };
}

/** Hosts in a minute over the last two minutes; null where too few have come through to say. */
export function hostsPerMinute({ samples }: Flow, nowMs: number): number | null {
  const within = samples.filter(({ atMs }) => nowMs - atMs <= WINDOW_MS);
  const before = samples.findLast(({ atMs }) => nowMs - atMs > WINDOW_MS);
  const first = before ?? within[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined || last.through - first.through < FEWEST) return null;
  const overMs = nowMs - Math.max(first.atMs, nowMs - WINDOW_MS);
  return overMs < 1_000 ? null : ((last.through - first.through) * 60_000) / overMs;
}

/** How long the hosts that are left take at the pace of the last minutes; null where that is not known. */
export function leftMs(flow: Flow, left: number, nowMs: number): number | null {
  const pace = hostsPerMinute(flow, nowMs);
  return pace === null || pace <= 0 || left <= 0 ? null : (left / pace) * 60_000;
}

const BARS = "▁▂▃▄▅▆▇█";

/** How many came through in each of the last so many stretches of `everyMs`, as bars. */
export function sparkline({ samples }: Flow, nowMs: number, bars: number, everyMs = 10_000): string {
  if (samples.length < 2) return "";
  const at = (moment: number): number =>
    samples.findLast(({ atMs }) => atMs <= moment)?.through ?? samples[0]?.through ?? 0;
  const counts = Array.from({ length: bars }, (_, index) => {
    const end = nowMs - (bars - 1 - index) * everyMs;
    return Math.max(0, at(end) - at(end - everyMs));
  });
  const most = Math.max(1, ...counts);
  return counts.map((each) => BARS[Math.round((each / most) * (BARS.length - 1))] ?? "").join("");
}
