import { paintedLine } from "../cli/paint.ts";
import { packed, wrapped } from "../monitor/lines.ts";
import { timelineChart } from "../view/timeline_chart.ts";
import type { SpanLine } from "../view/spans.ts";
import {
  failedLines,
  gapLines,
  legendParts,
  markLines,
  slowLines,
  timelineTitle,
  type ToldTimeline,
} from "../view/timeline_words.ts";
import { timelineFields } from "../view/timeline_document.ts";
import type { Ctl } from "./verb.ts";

/** A terminal that is narrower than this wraps by itself. */
const NARROWEST = 40;
/** Columns of what goes to no terminal. */
const WIDTH_ELSEWHERE = 100;
/** Beyond this, a picture shows no more. */
const WIDEST = 200;

/** The answer of a verb that shows a whole timeline. */
export function showTimeline({ output, process }: Pick<Ctl, "output" | "process">, told: ToldTimeline): void {
  const columns = process.stdoutIsTerminal ? process.columns() : WIDTH_ELSEWHERE;
  output.answer(
    { schema: "deployd.ctl.timeline/1", service: told.service, ...timelineFields(told) },
    timelineLines(told, columns).map((line) => paintedLine(line, output.paint)),
  );
}

/** A timeline for people: the picture, the marks, who was slow, and who failed. */
export function timelineLines(told: ToldTimeline, columns: number): SpanLine[] {
  const room = Math.max(NARROWEST, columns);
  const { timeline } = told;
  const fit = (lines: readonly SpanLine[]): SpanLine[] => lines.flatMap((line) => wrapped(line, room, "    "));
  const chart = timelineChart(timeline, { columns: Math.min(room, WIDEST), rows: room < 80 ? 6 : 10 });
  const parts = [
    fit([timelineTitle(told)]),
    [...chart.lines, ...packed(legendParts(timeline), room)],
    fit([...gapLines(timeline), ...markLines(timeline)]),
    fit(slowLines(timeline)),
    fit(failedLines(timeline)),
  ];
  return parts.filter((lines) => lines.length > 0).flatMap((lines, at) => (at === 0 ? lines : [[], ...lines]));
}
