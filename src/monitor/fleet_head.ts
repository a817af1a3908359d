import { buildWanted, goesBack, isRunning } from "../core/deploy_state.ts";
import { failuresIn, type DeployView } from "../view/deploy.ts";
import { stateSign } from "../view/deploy_words.ts";
import { failureGroups, type FailureGroup } from "../view/failure_groups.ts";
import { hostsPerMinute, sparkline } from "../view/flow.ts";
import { illnessText } from "../view/host.ts";
import { STATE_SIGNS, type FleetHost, type HostState } from "../view/host_state.ts";
import { allowedIn, amountWithCount } from "../view/limit_words.ts";
import { etaText, pulseOf, stageTrack, type Pulse } from "../view/pulse.ts";
import type { ServiceSeen } from "../view/service_seen.ts";
import { span, strong, type Span, type SpanLine } from "../view/spans.ts";
import { ageMs, duration } from "../view/times.ts";
import type { Tone } from "../view/tone.ts";
import { count, lastLines, oneLine, someOf } from "../view/words.ts";
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

/** A fact in words, and as short as it can be. */
type Fact = readonly [long: Span, short: Span];

/** In words where they fit, otherwise shortened; what comes last goes first where even that is too long. */
export function headline({ head }: ServiceSeen, view: DeployView, pulse: Pulse, now: Date, columns: number): SpanLine {
  const { record, live } = view;
  const { glyph, tone } = stateSign(record);
  const build = goesBack(record) ? `${record.build} ↺ ${buildWanted(record)}` : buildWanted(record);
  const isSaid = pulse.kind === "over" || record.state === "paused";
  const word = isSaid ? pulse.word : `${record.state}, ${pulse.word}`;
  const begin = [span(`${glyph} `, tone), strong(`${head.service} ${build}`), span("  ")];
  const facts: Fact[] = [[strong(word, pulse.tone), strong(pulse.word, pulse.tone)]];
  const tell = (many: number, of: string, sign: string, like: Tone): void => {
    if (many > 0) facts.push([strong(`  ${sign}${many} ${of}`, like), strong(`  ${sign}${many}`, like)]);
  };
  if (live !== null) {
    const { serving, hosts, failed, unreachable } = live.progress;
    const progress = span(`  ${serving.length}/${hosts.length}`, "good");
    facts.push([progress, progress]);
    tell(failed.length, "failed", "✗", "bad");
    tell(head.ill.length, "unhealthy", "✗", "bad");
    tell(unreachable.length, "unreachable", "?", "warn");
  }
  if (head.wishTrouble !== null) {
    const trouble = strong(`  the wish is ${head.wishTrouble}`, "bad");
    facts.push([trouble, trouble]);
  }
  const took = duration(ageMs(record.times.created, isRunning(record) ? now : new Date(record.times.ended)));
  facts.push([span(`  ${took}`, "dim"), span(`  ${took}`, "dim")]);
  const long = [...begin, ...facts.map(([each]) => each)];
  return widthOfLine(long) <= columns
    ? long
    : fitting(
        begin,
        facts.map(([, short]) => [short]),
        columns,
      );
}

/** From left to right, as a deploy takes hosts from one state to the next. */
const BAR: readonly (readonly [HostState, string])[] = [
  ["done", "█"],
  ["soaking", "▓"],
  ["restarting", "▒"],
  ["going back", "↺"],
  ["ready", "░"],
  ["preparing", "-"],
  ["held", "‖"],
  ["waiting", "·"],
  ["idle", "·"],
  ["unreachable", "?"],
  ["failed", "✗"],
];

/** How many hosts are in which state. */
export function barLine({ hosts, counts }: ServiceSeen, columns: number): SpanLine {
  const legend = BAR.flatMap(([state]): Span[] => {
    const of = counts.get(state) ?? 0;
    const { glyph, tone } = STATE_SIGNS[state];
    return of === 0 ? [] : [span(` ${glyph}${of}`, tone), ...(columns >= 100 ? [span(` ${state}`, "dim")] : [])];
  });
  const width = Math.min(60, columns - widthOfLine(legend) - 3);
  if (width < 8 || hosts.length === 0) return legend;
  return [span("["), ...filled(counts, hosts.length, width), span("]"), ...legend];
}

/** Nobody's state vanishes for being rare: each that there is has one cell at least. */
function filled(counts: ReadonlyMap<HostState, number>, all: number, width: number): Span[] {
  const parts = BAR.flatMap(([state, character]) => {
    const of = counts.get(state) ?? 0;
    return of === 0 ? [] : [{ state, character, cells: Math.max(1, Math.floor((of / all) * width)), of }];
  });
  const largest = parts.toSorted((a, b) => b.of - a.of)[0];
  const sum = parts.reduce((total, { cells }) => total + cells, 0);
  return parts.map((part) => {
    const cells = Math.max(0, part === largest ? part.cells + width - sum : part.cells);
    return span(part.character.repeat(cells), STATE_SIGNS[part.state].tone);
  });
}

/** Where it is among its stages, how much of its limits is used, how fast it goes, and whose it is. */
function factLines(
  { flow }: ServiceSeen,
  view: DeployView,
  pulse: Pulse,
  now: Date,
  columns: number,
  most: number,
): SpanLine[] {
  const { record, live } = view;
  const { max, budget, soakMs } = record.limits;
  const allowed = allowedIn(view);
  const pace = isRunning(record) ? hostsPerMinute(flow, now.getTime()) : null;
  const eta = etaText(view, flow, now);
  const failed = live?.progress.failed.length ?? 0;
  const parts: SpanLine[] = [
    [span(`out ${Object.keys(live?.out.slots ?? {}).length} of ${amountWithCount(max, allowed.max)}`)],
    [span(`failed ${failed} of budget ${amountWithCount(budget, allowed.budget)}`, failed > 0 ? "bad" : "plain")],
    ...(eta === null ? [] : [[span(eta)]]),
    ...(pace === null ? [] : [[span(`${paceText(pace)} ${sparkline(flow, now.getTime(), 12)}`)]]),
    ...(soakMs > 0 ? [[span(`soak ${soakMs / 1000}s`, "dim")]] : []),
    [span(`by ${oneLine(record.who)}${record.why === "" ? "" : `: ${oneLine(record.why)}`}`, "dim")],
  ];
  const lines: SpanLine[] = wrapped(stageTrack(view, pulse), columns, "  ");
  for (const part of parts) {
    const last = lines.at(-1) ?? [];
    const longer = [...last, span("  "), ...part];
    if (widthOfLine(longer) <= columns) lines[lines.length - 1] = longer;
    else if (lines.length < most) lines.push(...wrapped(part, columns, "  ").slice(0, 2));
  }
  return lines.slice(0, most);
}

function paceText(pace: number): string {
  return `${pace < 10 ? pace.toFixed(1) : Math.round(pace)} hosts/min`;
}

/** Why it does not move, and what a person can do. */
function notes({ head, overview }: ServiceSeen, pulse: Pulse, columns: number): SpanLine[] {
  const lines: SpanLine[] = [];
  // What failed is told below, whole.
  const isTold = head.failures.some(({ reason }) => pulse.because.includes(oneLine(reason)));
  if (pulse.because !== "" && !isTold)
    lines.push([span(`! ${pulse.because}`, pulse.tone === "good" ? "plain" : pulse.tone)]);
  for (const wait of overview.waits)
    if (!pulse.because.includes(oneLine(wait))) lines.push([span(`! ${oneLine(wait)}`, "warn")]);
  if (head.frozen !== "") lines.push([span(`! ${head.frozen}`, "warn")]);
  lines.push(...(head.deploy?.steps ?? []).map((step) => [span(`  ${step}`)]));
  lines.push(...head.problems.map((problem) => [span(`! ${oneLine(problem)}`, "warn")]));
  return lines.flatMap((line) => wrapped(line, columns, "  "));
}

function problems({ head }: ServiceSeen, columns: number): SpanLine[] {
  return head.problems.flatMap((problem) => wrapped([span(`! ${oneLine(problem)}`, "warn")], columns, "  "));
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

const MOST_NAMED = 4;
const MOST_LOG = 6;

function groupLines(group: FailureGroup, columns: number): { said: SpanLine[]; log: SpanLine[] } {
  const { hosts, step, build, reason, healthy, hint, log } = group;
  const where = step === "" ? `with ${build}` : `in ${step} of ${build}`;
  const back = healthy === 0 ? "" : healthy === hosts.length ? ", healthy again" : `, ${healthy} healthy again`;
  const who =
    hosts.length === 1 ? oneLine(hosts[0] ?? "") : `${hosts.length} hosts (${someOf(hosts.map(oneLine), MOST_NAMED)})`;
  const said = wrapped([strong(`✗ ${who}`, "bad"), span(` failed ${where}${back}: ${reason}`, "bad")], columns, "  ");
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
