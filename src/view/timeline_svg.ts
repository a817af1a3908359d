import type { StateCounts } from "../core/host_state.ts";
import type { Timeline } from "../core/timeline.ts";
import type { HostState } from "../schema/host_state.ts";
import { stateSign } from "./deploy_words.ts";
import { STACK } from "./state_stack.ts";
import { duration } from "./times.ts";
import { markKey, mostHosts } from "./timeline_chart.ts";
import { endOf, TimelineScale } from "./timeline_scale.ts";
import { markWord, type ToldTimeline } from "./timeline_words.ts";
import { count, oneLine } from "./words.ts";

const WIDTH = 800;
const HEIGHT = 240;
const LEFT = 48;
const RIGHT = 12;
const TOP = 24;
/** An area that is there is no thinner than this. */
const THINNEST = 2.5;
/** Below the areas stand the times, and below those the legend. */
const TIMES = 18;
const LEGEND_ROW = 20;
const LEGEND_COLUMN = 120;

/**
 * The colours, unless the page has others in its variables or for these classes: of a middle lightness, so that they can
 * be told from a light ground and from a dark one. Areas that touch each other differ in lightness as well.
 */
const COLOURS: Readonly<Record<HostState, string>> = {
  done: "#3fa66a",
  soaking: "#7cc6e8",
  restarting: "#2f7fc1",
  "going back": "#d9822b",
  ready: "#b9b3dc",
  preparing: "#8478bd",
  held: "#a8793f",
  leaving: "#6f7a87",
  waiting: "#b4b8bf",
  idle: "#8d939c",
  unreachable: "#e3b93c",
  failed: "#d0342c",
};

/**
 * How the hosts of a deploy went from state to state, as a picture for a page: stacked areas over time, the deploy's own
 * changes, and a legend. It has no style of its own, so that a page may forbid those; colours are attributes, and classes
 * `timeline-…` and variables `--timeline-<state>` go before them.
 *
 * @param id unlike that of any other picture on the page
 */
export function timelineSvg(told: ToldTimeline, id: string): string {
  const { timeline } = told;
  const used = STACK.filter(([state]) => timeline.samples.some(({ counts }) => (counts[state] ?? 0) > 0));
  const perRow = Math.floor((WIDTH - LEFT) / LEGEND_COLUMN);
  const legendRows = Math.ceil((used.length + (timeline.gaps.length > 0 ? 1 : 0)) / perRow);
  const height = HEIGHT + TIMES + legendRows * LEGEND_ROW + 8;
  const name = escapedXml(id);
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" class="timeline" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="${name}-title ${name}-desc">`,
    `<title id="${name}-title">${escapedXml(titleOf(told))}</title>`,
    `<desc id="${name}-desc">${escapedXml(descriptionOf(told))}</desc>`,
    patternsOf(name),
    ...(mostHosts(timeline) === 0 ? [text(LEFT, HEIGHT / 2, "No host was seen.")] : pictureOf(timeline, name, used)),
    ...legendOf(timeline, name, used, perRow),
    "</svg>",
  ];
  return `${lines.join("\n")}\n`;
}

type Used = readonly (readonly [HostState, string])[];

function pictureOf(timeline: Timeline, name: string, used: Used): string[] {
  const { gaps, marks } = timeline;
  const scale = new TimelineScale(timeline);
  const most = mostHosts(timeline);
  const x = (atMs: number): number => round(LEFT + (scale.shown(atMs) / scale.lengthMs) * (WIDTH - LEFT - RIGHT));
  const layers = timeline.samples.map(({ counts }) => layersOf(counts, most));
  const areas = used.map(([state]) => {
    const d = areaOf(
      timeline,
      layers.map((each) => each.get(state) ?? null),
      x,
    );
    return `<path class="timeline-area timeline-${slug(state)}" fill="${fillOf(state, name)}" d="${d}"><title>${state}</title></path>`;
  });
  return [
    ...areas,
    ...gaps.map(({ fromMs, toMs }) => {
      const what = `nobody watched from ${duration(fromMs)} to ${duration(toMs)}`;
      return `<rect class="timeline-gap" fill="url(#${name}-gap)" x="${x(fromMs)}" y="${TOP}" width="${round(x(toMs) - x(fromMs))}" height="${HEIGHT - TOP}"><title>${what}</title></rect>`;
    }),
    `<path class="timeline-axis" fill="none" stroke="currentColor" stroke-opacity="0.5" d="M${LEFT} ${TOP}V${HEIGHT}H${WIDTH - RIGHT}"/>`,
    text(LEFT - 6, TOP + 8, String(most), "end"),
    text(LEFT - 6, HEIGHT, "0", "end"),
    ...timesOf(scale, x),
    ...marksOf(marks, x),
  ];
}

/** From where to where an area reaches at an instant. */
interface Layer {
  readonly low: number;
  readonly high: number;
}

/** Nobody is too few to be seen: the others give room to those that would be thinner than a line. */
function layersOf(counts: StateCounts, most: number): ReadonlyMap<HostState, Layer> {
  const there = STACK.flatMap(([state]) => {
    const natural = ((counts[state] ?? 0) / most) * (HEIGHT - TOP);
    return natural === 0 ? [] : [{ state, natural, isThin: natural < THINNEST }];
  });
  const sumOf = (isThin: boolean): number =>
    there.reduce((sum, each) => sum + (each.isThin === isThin ? each.natural : 0), 0);
  const raised = there.filter(({ isThin }) => isThin).length * THINNEST - sumOf(true);
  const scale = Math.max(0, 1 - raised / Math.max(1, sumOf(false)));
  const layers = new Map<HostState, Layer>();
  let low = HEIGHT;
  for (const { state, natural, isThin } of there) {
    const height = isThin ? THINNEST : natural * scale;
    layers.set(state, { low: round(low), high: round(low - height) });
    low -= height;
  }
  return layers;
}

/** Steps, since a sample stands until the next one; where nobody watched there is nothing. */
function areaOf(timeline: Timeline, layers: readonly (Layer | null)[], x: (atMs: number) => number): string {
  const { samples, gaps, untilMs } = timeline;
  const steps: (Layer & { readonly from: number; to: number })[] = [];
  for (const [at, { atMs }] of samples.entries()) {
    const layer = layers[at] ?? null;
    if (layer === null) continue;
    const nextMs = samples[at + 1]?.atMs ?? untilMs;
    const gapMs = gaps.find(({ fromMs }) => fromMs >= atMs && fromMs < nextMs)?.fromMs ?? nextMs;
    const from = x(atMs);
    const to = Math.max(x(gapMs), from + 1);
    const last = steps.at(-1);
    if (last !== undefined && last.to >= from && last.low === layer.low && last.high === layer.high) last.to = to;
    else steps.push({ ...layer, from, to });
  }
  return steps.map(({ from, to, low, high }) => `M${from} ${low}V${high}H${round(to)}V${low}Z`).join("");
}

function timesOf(scale: TimelineScale, x: (atMs: number) => number): string[] {
  const parts = 4;
  return Array.from({ length: parts + 1 }, (_, at) => {
    const atMs = scale.instant((scale.lengthMs * at) / parts);
    const anchor = at === 0 ? "start" : at === parts ? "end" : "middle";
    return text(x(atMs), HEIGHT + TIMES - 4, duration(atMs), anchor);
  });
}

/** Each with its sign above the picture, and its words where the pointer rests on it. */
function marksOf(marks: Timeline["marks"], x: (atMs: number) => number): string[] {
  let free = Number.NEGATIVE_INFINITY;
  return marks.map((mark, at) => {
    const column = x(mark.atMs);
    const label = Math.min(WIDTH - 4, Math.max(free, column));
    free = label + 10;
    const { glyph } = stateSign(mark);
    const words = `${duration(mark.atMs)} ${glyph} ${markWord(mark, marks)}`;
    return `<g class="timeline-mark"><title>${escapedXml(words)}</title><path fill="none" stroke="currentColor" stroke-opacity="0.6" stroke-dasharray="3 3" d="M${column} ${TOP - 6}V${HEIGHT}"/>${text(round(label), TOP - 10, markKey(at), "middle")}</g>`;
  });
}

function legendOf({ gaps, samples }: Timeline, name: string, used: Used, perRow: number): string[] {
  const entries = used.map(([state]) => {
    const most = Math.max(0, ...samples.map(({ counts }) => counts[state] ?? 0));
    return {
      className: `timeline-area timeline-${slug(state)}`,
      fill: fillOf(state, name),
      words: `${state} ≤ ${most}`,
    };
  });
  if (gaps.length > 0) entries.push({ className: "timeline-gap", fill: `url(#${name}-gap)`, words: "nobody watched" });
  return entries.map(({ className, fill, words }, at) => {
    const left = LEFT + (at % perRow) * LEGEND_COLUMN;
    const row = HEIGHT + TIMES + Math.floor(at / perRow) * LEGEND_ROW + 14;
    return `<g class="timeline-legend"><rect class="${className}" fill="${fill}" x="${left}" y="${row - 10}" width="12" height="12"/>${text(left + 18, row, words)}</g>`;
  });
}

/** Hatched, so that what failed, and what nobody knows, is told without colours. */
function patternsOf(name: string): string {
  const hatch = (id: string, inner: string): string =>
    `<pattern id="${name}-${id}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">${inner}</pattern>`;
  const failed = `<rect width="6" height="6" fill="${colourOf("failed")}"/><path stroke="#ffffff" stroke-opacity="0.55" stroke-width="2" d="M0 0V6"/>`;
  const gap = `<path stroke="currentColor" stroke-opacity="0.35" d="M0 0V6"/>`;
  return `<defs>${hatch("failed", failed)}${hatch("gap", gap)}</defs>`;
}

function fillOf(state: HostState, name: string): string {
  return state === "failed" ? `url(#${name}-failed)` : colourOf(state);
}

function colourOf(state: HostState): string {
  return `var(--timeline-${slug(state)}, ${COLOURS[state]})`;
}

function slug(state: HostState): string {
  return state.replace(" ", "-");
}

function titleOf({ service, deploy, record }: ToldTimeline): string {
  return `Hosts over time in deploy ${oneLine(deploy)} of ${record.build} to ${oneLine(service)}`;
}

/** What somebody is told who does not see the picture. */
function descriptionOf({ record, timeline }: ToldTimeline): string {
  const { marks, samples, failed } = timeline;
  const changes = marks.map((mark) => `${markWord(mark, marks)} at ${duration(mark.atMs)}`).join(", ");
  const last = samples.at(-1)?.counts ?? {};
  const ends = STACK.flatMap(([state]) => ((last[state] ?? 0) === 0 ? [] : [`${last[state]} ${state}`])).join(", ");
  return [
    `It is ${record.state} and took ${duration(endOf(timeline))}.`,
    changes === "" ? "" : `It was ${changes}.`,
    ends === "" ? "" : `Of ${count(mostHosts(timeline), "host")} at the end: ${ends}.`,
    failed.hosts === 0 ? "" : `${count(failed.hosts, "host")} failed on the way.`,
  ]
    .filter((sentence) => sentence !== "")
    .join(" ");
}

function text(x: number, y: number, words: string, anchor = "start"): string {
  return `<text class="timeline-text" fill="currentColor" font-size="12" font-family="sans-serif" x="${x}" y="${y}" text-anchor="${anchor}">${escapedXml(words)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapedXml(words: string): string {
  return words
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}
