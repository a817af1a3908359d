import { illnessText } from "../view/host.ts";
import { byZone, STATE_SIGNS, worstOf, type FleetHost } from "../view/host_state.ts";
import { span, strong, type SpanLine } from "../view/spans.ts";
import { ageMs, duration } from "../view/times.ts";
import { oneLine } from "../view/words.ts";
import { INVERSE, styleOf, type Cells } from "./cells.ts";
import { widest } from "./lines.ts";

/** Where the hosts are drawn, and what is marked. */
export interface Body {
  readonly top: number;
  readonly rows: number;
  readonly cursor: string | null;
  readonly now: Date;
}

/**
 * The hosts of a service in the way that shows most of each: a row for each, else a grid of names by zone, else one cell
 * for each, else one for several of which the worst shows.
 */
export function drawHosts(cells: Cells, hosts: readonly FleetHost[], body: Body): void {
  if (body.rows < 1) return;
  if (hosts.length === 0) {
    cells.write(0, body.top, [span("No host to show.", "dim")]);
    return;
  }
  if (hosts.length <= body.rows - 1 || hosts.length <= 3) return drawRows(cells, hosts, body);
  const grid = gridOf(hosts, cells.columns, body.rows);
  if (grid !== null) return drawGrid(cells, grid, body);
  drawDots(cells, hosts, body);
}

const GAP = 2;

function drawRows(cells: Cells, hosts: readonly FleetHost[], { top, rows, cursor, now }: Body): void {
  const at = Math.max(
    0,
    hosts.findIndex(({ host }) => host === cursor),
  );
  const room = Math.max(1, rows - 1);
  const from = Math.max(0, Math.min(at - Math.floor(room / 2), hosts.length - room));
  const shown = hosts.slice(from, from + room);
  const hasZones = hosts.some(({ zone }) => zone !== "");
  const columns = [
    {
      title: "HOST",
      width: Math.min(28, Math.max(4, widest(shown.map(({ host }) => host)))),
      text: (each: FleetHost) => oneLine(each.host),
    },
    ...(hasZones && cells.columns >= 60
      ? [
          {
            title: "ZONE",
            width: Math.min(12, Math.max(4, widest(shown.map(({ zone }) => zone)))),
            text: (each: FleetHost) => oneLine(each.zone),
          },
        ]
      : []),
    { title: "STATE", width: 11, text: (each: FleetHost) => STATE_SIGNS[each.state].word },
    ...(cells.columns >= 50 ? [{ title: "STEP", width: 9, text: (each: FleetHost) => each.status?.step ?? "-" }] : []),
    {
      title: "AGE",
      width: 7,
      text: (each: FleetHost) => (each.status === null ? "-" : duration(ageMs(each.status.since, now))),
    },
    ...(cells.columns >= 70
      ? [
          {
            title: "BUILD",
            width: Math.min(16, Math.max(5, widest(shown.map(({ status }) => status?.build ?? "-")))),
            text: (each: FleetHost) => each.status?.build ?? "-",
          },
        ]
      : []),
  ];
  let column = 2;
  for (const { title, width } of columns) {
    cells.write(column, top, [span(title, "dim")], width);
    column += width + GAP;
  }
  for (const [index, each] of shown.entries()) {
    const row = top + 1 + index;
    const { glyph, tone } = STATE_SIGNS[each.state];
    const faint = each.connected ? "plain" : "dim";
    cells.write(0, row, [span(glyph, tone)]);
    let left = 2;
    for (const { title, width, text } of columns) {
      cells.write(
        left,
        row,
        [
          title === "HOST" && each.role === "canary"
            ? strong(text(each))
            : span(text(each), title === "STATE" ? tone : faint),
        ],
        width,
      );
      left += width + GAP;
    }
    const trouble = each.status?.error?.message ?? illnessText(each.status);
    const notes: SpanLine = [
      ...(each.role === "canary" ? [span("canary ", "busy")] : []),
      span(oneLine(trouble), each.connected ? "bad" : "dim"),
    ];
    cells.write(left, row, notes);
    if (each.host === cursor) cells.invert(row);
  }
}

/** A zone's hosts, in rows of so many. */
interface Grid {
  readonly width: number;
  readonly perRow: number;
  readonly zones: readonly { readonly zone: string; readonly hosts: readonly FleetHost[] }[];
}

function gridOf(hosts: readonly FleetHost[], columns: number, rows: number): Grid | null {
  const zones = byZone(hosts);
  const width = widest(hosts.map(({ host }) => host)) + 3;
  const perRow = Math.floor(columns / width);
  if (perRow < 2) return null;
  const heads = zones.length > 1 || zones[0]?.zone !== "" ? zones.length : 0;
  const needed = zones.reduce((sum, each) => sum + Math.ceil(each.hosts.length / perRow), heads);
  return needed <= rows ? { width, perRow, zones } : null;
}

function drawGrid(cells: Cells, { width, perRow, zones }: Grid, { top, cursor }: Body): void {
  let row = top;
  for (const { zone, hosts } of zones) {
    if (zones.length > 1 || zone !== "") {
      cells.write(0, row, [span(zone === "" ? "no zone" : oneLine(zone), "dim"), span(` ${summary(hosts)}`, "dim")]);
      row += 1;
    }
    for (const [index, each] of hosts.entries()) {
      const column = (index % perRow) * width;
      const { glyph, tone } = STATE_SIGNS[each.state];
      const isCalm = each.state === "waiting" || each.state === "done" || each.state === "idle";
      const line = [span(`${glyph} `, tone), span(oneLine(each.host), isCalm ? "plain" : tone)];
      const end = cells.write(column, row, line, width - 1);
      if (each.host === cursor) markCells(cells, column, row, end - column);
      if (index % perRow === perRow - 1 && index < hosts.length - 1) row += 1;
    }
    row += 1;
  }
}

function summary(hosts: readonly FleetHost[]): string {
  const done = hosts.filter(({ state }) => state === "done").length;
  const failed = hosts.filter(({ state }) => state === "failed").length;
  return `${done}/${hosts.length}${failed === 0 ? "" : ` ✗${failed}`}`;
}

function markCells(cells: Cells, column: number, row: number, width: number): void {
  for (let at = row * cells.columns + column; at < row * cells.columns + column + width; at += 1)
    cells.styles[at] = (cells.styles[at] ?? 0) | INVERSE;
}

/** One cell for a host, or for as many as it takes to have room for all; every zone begins on a row of its own where that fits. */
function drawDots(cells: Cells, hosts: readonly FleetHost[], { top, rows, cursor }: Body): void {
  const zones = byZone(hosts);
  const label = zones.length > 1 ? Math.min(16, widest(zones.map(({ zone }) => zone)) + 1) : 0;
  const width = Math.max(1, cells.columns - label);
  const rowsFor = (each: number): number =>
    zones.reduce((sum, zone) => sum + Math.ceil(Math.ceil(zone.hosts.length / each) / width), 0);
  const parts = rowsFor(hosts.length) <= rows ? zones : [{ zone: "", hosts: [...hosts] }];
  const isSplit = parts === zones;
  let each = 1;
  const needed = (): number => (isSplit ? rowsFor(each) : Math.ceil(Math.ceil(hosts.length / each) / cells.columns));
  while (needed() > rows - 1 && each < hosts.length) each += 1;
  let row = top;
  if (each > 1) {
    cells.write(0, row, [span(`each cell is ${each} hosts, and shows the worst of them`, "dim")]);
    row += 1;
  }
  for (const { zone, hosts: all } of parts) {
    const left = isSplit ? label : 0;
    if (left > 0) cells.write(0, row, [span(oneLine(zone === "" ? "-" : zone), "dim")], left - 1);
    let column = left;
    for (let at = 0; at < all.length; at += each) {
      if (column >= cells.columns) {
        column = left;
        row += 1;
      }
      const some = all.slice(at, at + each);
      const { glyph, tone } = STATE_SIGNS[each === 1 ? (some[0]?.state ?? "idle") : worstOf(some)];
      const isMarked = some.some(({ host }) => host === cursor);
      if (row < top + rows) cells.set(column, row, glyph, styleOf({ tone }) | (isMarked ? INVERSE : 0));
      column += 1;
    }
    row += 1;
  }
}
