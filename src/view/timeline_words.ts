import type { StateCounts } from "../core/host_state.ts";
import type { Timeline } from "../core/timeline.ts";
import type { DeployRecord } from "../schema/deploy_record.ts";
import type { SlowHost, TimelineMark } from "../schema/timeline.ts";
import { stateSign } from "./deploy_words.ts";
import { STATE_SIGNS } from "./host_state.ts";
import { span, strong, type SpanLine } from "./spans.ts";
import { STACK } from "./state_stack.ts";
import { dateTime, duration } from "./times.ts";
import { markKey } from "./timeline_chart.ts";
import { endOf, TimelineScale } from "./timeline_scale.ts";
import { count, oneLine } from "./words.ts";

/** A deploy with what was kept of how it went. */
export interface ToldTimeline {
  readonly service: string;
  readonly deploy: string;
  readonly record: Pick<DeployRecord, "build" | "state" | "who">;
  readonly timeline: Timeline;
}

/** "✓ web v2  done  3m 20s  20260701-115000-ab12, begun 2026-07-01 11:50:00Z by ana@laptop" */
export function timelineTitle({ service, deploy, record, timeline }: ToldTimeline): SpanLine {
  const { glyph, word, tone } = stateSign(record);
  const began = dateTime(new Date(timeline.startedAtMs).toISOString());
  return [
    span(`${glyph} `, tone),
    strong(`${oneLine(service)} ${record.build}`),
    strong(`  ${word}`, tone),
    span(`  ${duration(endOf(timeline))}  ${oneLine(deploy)}, begun ${began} by ${oneLine(record.who)}`, "dim"),
  ];
}

/** "█ done 5", "▒ restarting 2": the states that hosts are in, as they are drawn. */
export function countsParts(counts: StateCounts): SpanLine[] {
  return STACK.flatMap(([state, character]): SpanLine[] => {
    const hosts = counts[state] ?? 0;
    return hosts === 0 ? [] : [[span(`${character} ${state} ${hosts}`, STATE_SIGNS[state].tone)]];
  });
}

/** What the signs in the picture mean: those of the states that any host ever was in, with the most there were at once. */
export function legendParts(timeline: Timeline): SpanLine[] {
  const { samples, gaps } = timeline;
  const scale = new TimelineScale(timeline).isShortened ? ", not to scale" : "";
  const most = (of: (counts: StateCounts) => number): number => Math.max(0, ...samples.map(({ counts }) => of(counts)));
  const used = STACK.flatMap(([state, character]): SpanLine[] => {
    const hosts = most((counts) => counts[state] ?? 0);
    return hosts === 0 ? [] : [[span(`${character} ${state} ${hosts}`, STATE_SIGNS[state].tone)]];
  });
  return [
    ...(used.length === 0 ? [] : [[span("at most", "dim")]]),
    ...used,
    ...(gaps.length === 0 ? [] : [[span(`blank: nobody watched${scale}`, "dim")]]),
  ];
}

/** "rolling", and where there is more than one stage "rolling 10%" */
export function markWord({ state, stage }: TimelineMark, marks: readonly TimelineMark[]): string {
  const isStaged = marks.some((each) => each.stage !== marks[0]?.stage);
  return isStaged && state !== "canary" && (state === "rolling" || state === "awaiting promotion")
    ? `${state} ${oneLine(stage)}`
    : state;
}

/** One line for each change of the deploy's own, with its sign below the picture. @param atMs no later ones */
export function markLines({ marks, marksLeftOut }: Timeline, atMs = Number.POSITIVE_INFINITY): SpanLine[] {
  const lines = marks.flatMap((mark, at): SpanLine[] => {
    if (mark.atMs > atMs) return [];
    const { glyph, tone } = stateSign(mark);
    return [
      [
        span(`${markKey(at)} `),
        span(duration(mark.atMs).padStart(8), "dim"),
        span(`  ${glyph} ${markWord(mark, marks)}`, tone),
      ],
    ];
  });
  return marksLeftOut === 0 ? lines : [...lines, [span(`  and ${marksLeftOut} more between`, "dim")]];
}

/** When nobody watched. */
export function gapLines({ gaps }: Timeline): SpanLine[] {
  const told = gaps.slice(0, 3).map(({ fromMs, toMs }) => `from ${duration(fromMs)} to ${duration(toMs)}`);
  if (told.length === 0) return [];
  const more = gaps.length > told.length ? ` and ${gaps.length - told.length} times more` : "";
  return [[span(`! Nobody watched ${told.join(", ")}${more}; what happened then is not known.`, "warn")]];
}

/** "web-07  48s  prepare 40s, start 8s; waited 2m 10s" */
export function slowLines({ slowest }: Timeline): SpanLine[] {
  if (slowest.length === 0) return [];
  const width = Math.min(24, Math.max(...slowest.map(({ host }) => host.length)));
  return [
    [strong("slowest hosts")],
    ...slowest.map((slow): SpanLine => [
      span(`  ${oneLine(slow.host).padEnd(width)}  ${seconds(slow.ms).padStart(7)}`),
      span(`  ${partsText(slow)}`, "dim"),
    ]),
  ];
}

function partsText({ partsMs }: SlowHost): string {
  const { wait = 0, ...others } = partsMs;
  const longest = Object.entries(others).toSorted(([, a], [, b]) => b - a);
  const told = longest.map(([part, ms]) => `${oneLine(part)} ${seconds(ms)}`).join(", ");
  return `${told}${wait === 0 ? "" : `; waited ${seconds(wait)}`}`;
}

function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)}s` : duration(ms);
}

/** Who failed, and why. */
export function failedLines({ failed }: Timeline): SpanLine[] {
  if (failed.hosts === 0) return [];
  const more = failed.hosts - failed.first.length;
  return [
    [strong(`${count(failed.hosts, "host")} failed`, "bad")],
    ...failed.first.map(({ host, reason }): SpanLine => [
      span("  ✗ ", "bad"),
      span(oneLine(host)),
      span(`: ${oneLine(reason)}`, "dim"),
    ]),
    ...(more > 0 ? [[span(`  and ${more} more`, "dim")]] : []),
  ];
}
