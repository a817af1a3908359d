import { hostLines } from "../view/host_lines.ts";
import { span, strong, type SpanLine } from "../view/spans.ts";
import { clockTime } from "../view/times.ts";
import { oneLine } from "../view/words.ts";
import { wrapped } from "./lines.ts";
import { serverNowOf, type Model } from "./model.ts";

/** Everything that is known of one host: what it does and since when, what failed, the end of its log, what came before. */
export function hostPage(model: Model, host: string, columns: number): SpanLine[] {
  const { watched } = model;
  const found = watched?.hosts.find((each) => each.host === host);
  if (watched === null || found === undefined)
    return [[span(`${oneLine(host)} is not a host of this service any more.`, "warn")]];
  const events = model.events.filter(({ line }) => line.some(({ text }) => text.includes(host)));
  return [
    ...hostLines(watched, found, serverNowOf(model)),
    [],
    [strong("events")],
    ...(events.length === 0
      ? [[span("  none since this monitor was opened", "dim")]]
      : events.map(({ at, line }): SpanLine => [span(`  ${clockTime(new Date(at))}  `, "dim"), ...line])),
    [],
    [span("all logs of the host: ", "dim"), span(`deployd ctl logs ${watched.overview.service} ${oneLine(host)}`)],
  ].flatMap((line) => wrapped(line, columns, "    "));
}
