import { stateSign } from "../view/deploy_words.ts";
import { STATE_SIGNS } from "../view/host_state.ts";
import { span, strong, type SpanLine } from "../view/spans.ts";
import { stackOf } from "../view/state_stack.ts";
import { duration } from "../view/times.ts";
import { countsAt, timelineChart } from "../view/timeline_chart.ts";
import { endOf } from "../view/timeline_scale.ts";
import { countsParts, failedLines, gapLines, markLines, markWord, slowLines } from "../view/timeline_words.ts";
import { oneLine } from "../view/words.ts";
import { Cells, INVERSE } from "./cells.ts";
import { fitting, packed, wrapped } from "./lines.ts";
import type { Replay } from "./replay.ts";

const KEYS = ["space stop and go", "←/→ step", "0 start", "+/- speed", "q quit"];
/** A picture is no higher than this, so that it can be read. */
const HIGHEST = 20;
/** Below the picture stand its axis, its times and its marks. */
const BELOW = 3;
/** So many rows are left for what has happened. */
const LEAST_MARKS = 3;
/** And this share of the screen where it is large. */
const SHARE_BELOW = 0.4;

/** The screen of a replay as it is to look, whatever its size. */
export function replayScreen(replay: Replay): Cells {
  const { size, told, atMs } = replay;
  const columns = Math.max(1, size.columns);
  const rows = Math.max(1, size.rows);
  const cells = new Cells(columns, rows);
  const bottom = rows - 1;
  let row = 0;
  const write = (lines: readonly SpanLine[]): void => {
    for (const line of lines) if (row < bottom) cells.write(0, row++, line);
  };
  write(headLines(replay, columns));
  const below = Math.max(LEAST_MARKS, Math.floor((bottom - row) * SHARE_BELOW));
  const room = bottom - row - BELOW - below - 1;
  if (room >= 2) {
    const chart = timelineChart(told.timeline, { columns, rows: Math.min(HIGHEST, room) }, atMs);
    const top = row;
    write(chart.lines);
    if (chart.cursor !== null) markCursor(cells, chart.cursor, top, row - BELOW);
    row += 1;
  }
  write(happened(replay, columns, bottom - row));
  if (rows > 1) cells.write(0, bottom, fitting([], keyParts(), columns));
  return cells;
}

/** Where and how fast it is, and how many hosts are in which state at that instant. */
function headLines({ told, atMs, isPlaying, speed }: Replay, columns: number): SpanLine[] {
  const { service, record, timeline } = told;
  const endMs = endOf(timeline);
  const mark = timeline.marks.findLast((each) => each.atMs <= atMs);
  const sign = mark === undefined ? null : stateSign(mark);
  const counts = countsAt(timeline, atMs);
  const title = fitting(
    [span(isPlaying ? "▶ " : atMs >= endMs ? "■ " : "‖ ", "busy"), strong(`${oneLine(service)} ${record.build}`)],
    [
      ...(mark === undefined || sign === null
        ? []
        : [[strong(`  ${sign.glyph} ${markWord(mark, timeline.marks)}`, sign.tone)]]),
      [span(`  ${duration(atMs)} of ${duration(endMs)}`)],
      [span(`  ${speed}x`, "dim")],
      [span(`  ${oneLine(told.deploy)}`, "dim")],
    ],
    columns,
  );
  if (counts === null) {
    const isEarly = atMs < (timeline.samples[0]?.atMs ?? endMs);
    return [title, [span(isEarly ? "Nobody has looked yet." : "Nobody watched at this time.", "warn")]];
  }
  const width = Math.min(60, columns - 2);
  const bar = stackOf((state) => counts[state] ?? 0, width).map(({ state, character, cells }) =>
    span(character.repeat(cells), STATE_SIGNS[state].tone),
  );
  return [title, [span("["), ...bar, span("]")], ...packed(countsParts(counts), columns)];
}

/** The marks so far, the last ones where there is not room for all; at the end also who failed and who was slow. */
function happened({ told: { timeline }, atMs }: Replay, columns: number, room: number): SpanLine[] {
  const marks = markLines(timeline, atMs);
  const isEnd = atMs >= endOf(timeline);
  const after = isEnd ? [...failedLines(timeline), ...slowLines(timeline), ...gapLines(timeline)] : [];
  const ending = after.flatMap((line) => wrapped(line, columns, "    "));
  const shown = marks.slice(-Math.max(LEAST_MARKS, room - ending.length));
  return [...shown, ...ending].slice(0, Math.max(0, room));
}

function keyParts(): SpanLine[] {
  return KEYS.map((key, at) => [span(`${at === 0 ? "" : "  "}${key}`, "dim")]);
}

function markCursor(cells: Cells, column: number, from: number, to: number): void {
  for (let row = from; row < to; row += 1) {
    const at = row * cells.columns + column;
    cells.styles[at] = (cells.styles[at] ?? 0) | INVERSE;
  }
}
