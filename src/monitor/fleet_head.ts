import { failuresIn, type DeployView } from "../view/deploy.ts";
import { failureGroups, type FailureGroup } from "../view/failure_groups.ts";
import { illnessText } from "../view/host.ts";
import { STATE_SIGNS, type FleetHost } from "../view/host_state.ts";
import { pulseOf, stageTrack, type Pulse } from "../view/pulse.ts";
import { factsOf, failureLine, headlineOf, notesOf, problemsOf } from "../view/service_lines.ts";
import type { ServiceSeen } from "../view/service_seen.ts";
import { span, strong, type Span, type SpanLine } from "../view/spans.ts";
import { STACK, stackOf } from "../view/state_stack.ts";
import { ageMs, duration } from "../view/times.ts";
import { count, lastLines, oneLine } from "../view/words.ts";
import { fitting, widthOfLine, wrapped } from "./lines.ts";
import { serverNowOf, type Model } from "./model.ts";

/** The first lines of a service: is it moving, is it stuck, what failed. */
export function fleetHead(model: Model, columns: number, most: number): SpanLine[] {
  const { watched } = model;
  if (watched === null) return [unread(model)];
  const now = serverNowOf(model);
  const { view, head } = watched;
  if (view === null)
    return [
      [span("· ", "dim"), strong(head.service), span(": nothing was ever deployed")],
      ...problems(watched, columns),
    ];
  const pulse = pulseOf(view, watched.overview.waits, watched.moved, now);
  const lines = [headline(watched, view, pulse, now, columns)];
  if (most >= 8) lines.push(barLine(watched, columns));
  if (most >= 6) lines.push(...factLines(watched, view, pulse, now, columns, most >= 12 ? 3 : 1));
  lines.push(...notes(watched, pulse, columns).slice(0, Math.max(1, Math.floor(most / 3))));
  const room = Math.max(1, most - lines.length);
  return [...lines, ...failureBlock(watched, view, columns, room)];
}

function unread({ selected, services, link }: Model): SpanLine {
  const look = services.find(({ service }) => service === selected);
  if (look !== undefined && "problem" in look)
    return [span(`✗ ${selected}: `, "bad"), span(oneLine(look.problem), "bad")];
  return [span(link.kind === "connecting" ? "connecting to ZooKeeper …" : "reading …", "dim")];
}

/** In words where they fit, otherwise shortened; what comes last goes first where even that is too long. */
export function headline(seen: ServiceSeen, view: DeployView, pulse: Pulse, now: Date, columns: number): SpanLine {
  const { title, facts } = headlineOf(seen, view, pulse, now);
  const long = [...title, ...facts.flatMap(({ long: each }) => [GAP, each])];
  return widthOfLine(long) <= columns
    ? long
    : fitting(
        title,
        facts.map(({ short }) => [GAP, short]),
        columns,
      );
}

const GAP = span("  ");

/** How many hosts are in which state. */
export function barLine({ hosts, counts }: ServiceSeen, columns: number): SpanLine {
  const legend = STACK.flatMap(([state]): Span[] => {
    const of = counts.get(state) ?? 0;
    const { glyph, tone } = STATE_SIGNS[state];
    return of === 0 ? [] : [span(` ${glyph}${of}`, tone), ...(columns >= 100 ? [span(` ${state}`, "dim")] : [])];
  });
  const width = Math.min(60, columns - widthOfLine(legend) - 3);
  if (width < 8 || hosts.length === 0) return legend;
  return [
    span("["),
    ...stackOf((state) => counts.get(state) ?? 0, width).map(({ state, character, cells }) =>
      span(character.repeat(cells), STATE_SIGNS[state].tone),
    ),
    span("]"),
    ...legend,
  ];
}

/** Where it is among its stages, how much of its limits is used, how fast it goes, and whose it is. */
function factLines(
  seen: ServiceSeen,
  view: DeployView,
  pulse: Pulse,
  now: Date,
  columns: number,
  most: number,
): SpanLine[] {
  const lines: SpanLine[] = wrapped(stageTrack(view, pulse), columns, "  ");
  for (const part of factsOf(seen, view, now)) {
    const last = lines.at(-1) ?? [];
    const longer = [...last, GAP, ...part];
    if (widthOfLine(longer) <= columns) lines[lines.length - 1] = longer;
    else if (lines.length < most) lines.push(...wrapped(part, columns, "  ").slice(0, 2));
  }
  return lines.slice(0, most);
}

function notes(seen: ServiceSeen, pulse: Pulse, columns: number): SpanLine[] {
  return notesOf(seen, pulse).flatMap((line) => wrapped(line, columns, "  "));
}

function problems({ head }: ServiceSeen, columns: number): SpanLine[] {
  return problemsOf(head).flatMap((line) => wrapped(line, columns, "  "));
}

/**
 * What failed, by cause. The sentence and the end of the log are wrapped and never cut; where there is no room for all of
 * them, the log is shorter, and then other causes are only counted.
 */
function failureBlock(watched: ServiceSeen, view: DeployView, columns: number, room: number): SpanLine[] {
  const groups = failureGroups(failuresIn(view));
  const ill = watched.head.ill.map(({ host, status }) => [span(`✗ ${oneLine(host)} is ${illnessText(status)}`, "bad")]);
  const blocks = [
    ...groups.map((group) => groupLines(group, columns)),
    ...ill.slice(0, 3).map((line) => ({ said: wrapped(line, columns, "  "), log: [] })),
  ];
  if (blocks.length === 0) return [];
  const lines: SpanLine[] = [];
  let told = 0;
  for (const { said, log } of blocks) {
    const left = room - lines.length - (told < blocks.length - 1 ? 1 : 0);
    // The first is told whole, however little room there is.
    if (told > 0 && said.length > left) break;
    lines.push(...said, ...log.slice(-Math.max(0, left - said.length)).slice(0, Math.max(0, left - said.length)));
    told += 1;
  }
  if (told < blocks.length) lines.push([span(`  and ${count(blocks.length - told, "more cause")}`, "bad")]);
  return lines;
}

const MOST_LOG = 6;

function groupLines(group: FailureGroup, columns: number): { said: SpanLine[]; log: SpanLine[] } {
  const { hint, log } = group;
  const said = wrapped(failureLine(group), columns, "  ");
  const hints = hint === "" ? [] : wrapped([span(`  ${hint}`)], columns, "  ");
  const room = Math.max(8, columns - 4);
  const tail =
    log === ""
      ? []
      : lastLines(log, MOST_LOG).flatMap((line) =>
          wrapped([span(line, "dim")], room).map((each): SpanLine => [span("  | ", "dim"), ...each]),
        );
  return { said: [...said, ...hints], log: tail };
}

/** What there is to say of one host in one line. */
export function hostLine({ host, state, status, zone }: FleetHost, now: Date): SpanLine {
  const { glyph, word, tone } = STATE_SIGNS[state];
  const age = status === null ? "" : ` for ${duration(ageMs(status.since, now))}`;
  const trouble = status?.error?.message ?? illnessText(status);
  return [
    span(`${glyph} `, tone),
    strong(oneLine(host)),
    span(zone === "" ? "" : ` (${oneLine(zone)})`, "dim"),
    span(
      ` ${word}${state === "waiting" || state === "done" ? "" : `: ${status?.step ?? "nothing said yet"}`}${age}`,
      tone,
    ),
    span(status?.build === null || status === null ? "" : `, serves ${status.build}`, "dim"),
    span(trouble === "" ? "" : `: ${oneLine(trouble)}`, "bad"),
  ];
}
