import type { StateCounts } from "../core/host_state.ts";
import type { Timeline } from "../core/timeline.ts";
import { fleetSize, outIn } from "../core/timeline_samples.ts";
import { STATE_SIGNS } from "./host_state.ts";
import { span, type Span, type SpanLine } from "./spans.ts";
import { stackOf } from "./state_stack.ts";
import { duration } from "./times.ts";
import { TimelineScale } from "./timeline_scale.ts";
import type { Tone } from "./tone.ts";

/** How many hosts were in which state at an instant; null where nobody watched. */
export function countsAt({ samples, gaps }: Pick<Timeline, "samples" | "gaps">, atMs: number): StateCounts | null {
  if (gaps.some(({ fromMs, toMs }) => fromMs < atMs && atMs < toMs)) return null;
  return samples.findLast((sample) => sample.atMs <= atMs)?.counts ?? null;
}

/** The most hosts that there were. */
export function mostHosts({ samples }: Pick<Timeline, "samples">): number {
  return samples.reduce((most, { counts }) => Math.max(most, fleetSize(counts)), 0);
}

/**
 * The picture cut into stretches of the same length: of each the worst that was seen in it, so that no failure is too short
 * to show; of the last what was seen last. Null where nobody watched.
 */
function stretchesOf(timeline: Timeline, number: number, scale: TimelineScale): (StateCounts | null)[] {
  const edgeMs = (at: number): number => scale.instant((at * scale.lengthMs) / number);
  const { samples, gaps } = timeline;
  return Array.from({ length: number }, (_, at) => {
    const [fromMs, toMs] = [edgeMs(at), edgeMs(at + 1)];
    const within = samples.filter(({ atMs }) => atMs > fromMs && (atMs < toMs || at === number - 1));
    if (within.length === 0 && gaps.some((gap) => gap.fromMs <= fromMs && toMs <= gap.toMs)) return null;
    if (at === number - 1) return samples.at(-1)?.counts ?? null;
    const before = countsAt(timeline, fromMs);
    const all = [...(before === null ? [] : [before]), ...within.map(({ counts }) => counts)];
    return all.toSorted((a, b) => (b.failed ?? 0) - (a.failed ?? 0) || outIn(b) - outIn(a))[0] ?? null;
  });
}

export interface ChartSize {
  readonly columns: number;
  /** Of the picture itself; below it are the axis, its times and the marks. */
  readonly rows: number;
}

/** Hosts over time, as lines. */
export interface Chart {
  readonly lines: readonly SpanLine[];
  /** The column in which the instant that was asked for is; null where none was. */
  readonly cursor: number | null;
}

const KEYS = "123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** The sign of a mark below the picture. */
export function markKey(at: number): string {
  return KEYS[at] ?? "+";
}

/**
 * How the hosts went from state to state: stacked, with time to the right, the deploy's own changes below it.
 *
 * @param atMs what comes after this instant is left blank, as in a replay
 */
export function timelineChart(timeline: Timeline, { columns, rows }: ChartSize, atMs?: number): Chart {
  const top = mostHosts(timeline);
  if (top === 0) return { lines: [[span("No host was seen.", "dim")]], cursor: null };
  const gutter = Math.max(String(top).length, 1) + 2;
  const width = Math.max(1, columns - gutter);
  const scale = new TimelineScale(timeline);
  const columnOf = (instant: number): number =>
    Math.min(width - 1, Math.floor((scale.shown(instant) / scale.lengthMs) * width));
  const cursor = atMs === undefined ? null : columnOf(atMs);
  const stretches = stretchesOf(timeline, width, scale);
  if (atMs !== undefined && cursor !== null) stretches[cursor] = countsAt(timeline, atMs);
  const drawn = stretches.map((counts, at) =>
    counts === null || at > (cursor ?? width) ? [] : stacked(counts, top, rows),
  );
  const lines: SpanLine[] = [];
  for (let row = rows - 1; row >= 0; row -= 1) {
    const label = row === rows - 1 ? String(top) : row === 0 ? "0" : "";
    const cells = drawn.map((stack) => stack[row] ?? BLANK);
    lines.push([span(`${label.padStart(gutter - 2)} │`, "dim"), ...joined(cells)]);
  }
  lines.push([span(`${" ".repeat(gutter - 1)}└${"─".repeat(width)}`, "dim")]);
  lines.push([span(`${" ".repeat(gutter)}${timesBelow(scale, width)}`, "dim")]);
  const marks = marksBelow(timeline, width, columnOf, atMs);
  if (timeline.marks.length > 0) lines.push([span(" ".repeat(gutter)), span(marks)]);
  return { lines, cursor: cursor === null ? null : gutter + cursor };
}

interface Cell {
  readonly character: string;
  readonly tone: Tone;
}

const BLANK: Cell = { character: " ", tone: "plain" };

/** From the bottom to the top. A fleet that was smaller for a while does not reach the top. */
function stacked(counts: StateCounts, top: number, rows: number): Cell[] {
  const hosts = fleetSize(counts);
  const cells = hosts === 0 ? 0 : Math.max(1, Math.round((hosts / Math.max(1, top)) * rows));
  return stackOf((state) => counts[state] ?? 0, cells).flatMap(({ state, character, cells: own }) =>
    Array.from({ length: own }, () => ({ character, tone: STATE_SIGNS[state].tone })),
  );
}

function joined(cells: readonly Cell[]): Span[] {
  const spans: { text: string; tone: Tone }[] = [];
  for (const { character, tone } of cells) {
    const last = spans.at(-1);
    if (last !== undefined && last.tone === tone) last.text += character;
    else spans.push({ text: character, tone });
  }
  return spans;
}

/** The beginning, the end, and as much between as fits. */
function timesBelow(scale: TimelineScale, width: number): string {
  const parts = width >= 100 ? 6 : width >= 60 ? 4 : 2;
  let line = "";
  for (let part = 0; part <= parts; part += 1) {
    const text = duration(scale.instant((scale.lengthMs * part) / parts));
    const at = part === parts ? width - text.length : Math.round((width * part) / parts);
    if (at > line.length || line === "") line = line.padEnd(at) + text;
  }
  return line.slice(0, width);
}

/** Each mark has a column of its own, where there is one. */
function marksBelow({ marks }: Timeline, width: number, columnOf: (atMs: number) => number, untilMs?: number): string {
  const row: string[] = Array.from({ length: width }, () => " ");
  for (const [at, mark] of marks.entries()) {
    if (untilMs !== undefined && mark.atMs > untilMs) break;
    let column = columnOf(mark.atMs);
    while (column < width && row[column] !== " ") column += 1;
    // At the right edge those before make room.
    if (column >= width) {
      const free = row.lastIndexOf(" ");
      if (free < 0) break;
      row.splice(free, 1);
      row.push(markKey(at));
    } else row[column] = markKey(at);
  }
  return row.join("").trimEnd();
}
