import { span, strong, type SpanLine } from "../view/spans.ts";
import { clockTime, duration } from "../view/times.ts";
import { oneLine } from "../view/words.ts";
import { Cells } from "./cells.ts";
import { fitting, widthOfLine, wrapped } from "./lines.ts";
import { drawHosts } from "./fleet_body.ts";
import { fleetHead, hostLine } from "./fleet_head.ts";
import { helpLines } from "./help_page.ts";
import { hostPage } from "./host_page.ts";
import { serverNowOf, shownHosts, type Model } from "./model.ts";
import { drawServices } from "./services_page.ts";

/** Without news for longer than this, what is shown may be out of date, and the screen says so. In milliseconds. */
const STALE_MS = 15_000;

/** The screen as it is to look, whatever its size. */
export function screen(model: Model): Cells {
  const { columns, rows } = model.size;
  const cells = new Cells(Math.max(1, columns), Math.max(1, rows));
  const bottom = footer(cells, model);
  const height = bottom;
  switch (model.page.kind) {
    case "services":
      cells.write(0, 0, [strong("deployd"), span("  all services", "dim")]);
      drawServices(cells, model, 1, height - 1);
      break;
    case "fleet":
      drawFleet(cells, model, height);
      break;
    case "host":
      drawLines(cells, hostPage(model, model.page.host, cells.columns), height, model.page.top);
      break;
    case "help":
      drawLines(
        cells,
        helpLines().flatMap((line) => wrapped(line, cells.columns, "            ")),
        height,
        0,
      );
      break;
  }
  return cells;
}

function drawFleet(cells: Cells, model: Model, height: number): void {
  const rows = eventRows(height);
  const events = rows === 0 ? [] : model.events.slice(-rows);
  const hosts = shownHosts(model);
  const hasCursor = model.cursor !== null && height >= 10;
  const below = events.length + (hasCursor ? 1 : 0);
  // Few hosts leave the room that they do not need to what failed.
  const needed = Math.min(hosts.length + 2, Math.ceil((height - below) * 0.4));
  const most = Math.max(1, height - below - Math.max(2, needed));
  const head = fleetHead(model, cells.columns, most).slice(0, Math.max(1, height - below));
  for (const [row, line] of head.entries()) cells.write(0, row, line);
  const top = head.length + (height - below - head.length > 8 ? 1 : 0);
  if (model.watched !== null)
    drawHosts(cells, hosts, { top, rows: height - below - top, cursor: model.cursor, now: serverNowOf(model) });
  let row = height - below;
  const marked = hosts.find(({ host }) => host === model.cursor);
  if (hasCursor) {
    if (marked !== undefined) cells.write(0, row, hostLine(marked, serverNowOf(model)));
    row += 1;
  }
  for (const { at, line } of events) {
    cells.write(0, row, [span(`${clockTime(new Date(at))}  `, "dim"), ...line]);
    row += 1;
  }
}

function eventRows(height: number): number {
  if (height >= 40) return 8;
  if (height >= 30) return 5;
  if (height >= 20) return 3;
  return height >= 14 ? 1 : 0;
}

function drawLines(cells: Cells, lines: readonly SpanLine[], height: number, top: number): void {
  const from = Math.max(0, Math.min(top, lines.length - height));
  for (const [row, line] of lines.slice(from, from + height).entries()) cells.write(0, row, line);
}

/** The last rows: what a person is asked or told, or the keys, and how fresh all of it is. @returns the first of them */
function footer(cells: Cells, model: Model): number {
  const { columns, rows } = cells;
  const fresh = freshness(model);
  const asked = prompt(model);
  const banner = model.link.kind === "away" ? wrapped(fresh, columns).slice(0, 2) : [];
  const width = widthOfLine(fresh);
  const isTold = model.link.kind !== "away" && asked === null && columns >= width + 30;
  const keys = fitting([], keysOf(model), columns - (isTold ? width + 2 : 0));
  const lines = [
    ...banner,
    ...(asked === null ? [keys] : wrapped(asked, columns).slice(0, Math.max(1, Math.min(3, rows - 2)))),
  ];
  const top = Math.max(0, rows - lines.length);
  for (const [index, line] of lines.slice(0, rows).entries()) cells.write(0, top + index, line);
  if (isTold) cells.write(columns - width, rows - 1, fresh);
  return top;
}

function prompt(model: Model): SpanLine | null {
  switch (model.prompt.kind) {
    case "none":
      return null;
    case "filter":
      return [strong("/"), span(model.prompt.text), span("▏", "busy"), span("  enter keeps it, esc shows all", "dim")];
    case "confirm":
      return [strong(model.prompt.question, "warn"), span("  y: yes, any other key: no")];
    case "acting":
      return [span(model.prompt.text, "busy")];
    case "told":
      return model.prompt.line;
  }
}

/** The most useful first. */
const KEYS: Readonly<Record<Model["page"]["kind"], readonly string[]>> = {
  services: ["q quit", "j/k move", "enter open", "? help"],
  host: ["esc back", "j/k scroll", "? help"],
  help: ["esc back"],
  fleet: ["? help", "q quit", "j/k move", "enter host", "p pause", "P promote", "r rollback", "/ filter", "f failed"],
};

function keysOf({ page, filter, only }: Model): SpanLine[] {
  const filtered = page.kind !== "fleet" || filter === "" ? [] : [[strong(`/${filter}  `, "busy")]];
  const services = page.kind === "fleet" && only === null ? ["s services"] : [];
  return [...filtered, ...[...KEYS[page.kind], ...services].map((key) => [span(`${key}  `, "dim")])];
}

function freshness({ link, nowMs }: Model): SpanLine {
  switch (link.kind) {
    case "connecting":
      return [span("connecting", "dim")];
    case "fresh": {
      const age = Math.max(0, nowMs - link.readAtMs);
      return [span(`ZooKeeper ${duration(age)} ago`, age > STALE_MS ? "warn" : "dim")];
    }
    case "away":
      return [
        strong(`? ZooKeeper is away for ${duration(nowMs - link.sinceMs)}; all of this is as old. `, "warn"),
        span(oneLine(link.reason), "warn"),
      ];
  }
}
