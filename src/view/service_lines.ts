import { buildWanted, goesBack, isRunning } from "../core/deploy_state.ts";
import type { DeployView } from "./deploy.ts";
import { stateSign } from "./deploy_words.ts";
import type { FailureGroup } from "./failure_groups.ts";
import { hostsPerMinute, sparkline } from "./flow.ts";
import { allowedIn, amountWithCount } from "./limit_words.ts";
import { etaText, type Pulse } from "./pulse.ts";
import type { ServiceSeen } from "./service_seen.ts";
import { span, strong, type Span, type SpanLine } from "./spans.ts";
import { ageMs, duration } from "./times.ts";
import type { Tone } from "./tone.ts";
import { oneLine, someOf } from "./words.ts";

/** A fact in words, and as short as it can be. */
interface Fact {
  readonly long: Span;
  readonly short: Span;
}

/** The first line of a service: what it is about, and then what matters most, the most important first. */
export interface Headline {
  readonly title: SpanLine;
  readonly facts: readonly Fact[];
}

/** Is it moving, is it stuck, what failed. @param now by ZooKeeper's clock */
export function headlineOf({ head }: ServiceSeen, view: DeployView, pulse: Pulse, now: Date): Headline {
  const { record, live } = view;
  const { glyph, tone } = stateSign(record);
  const build = goesBack(record) ? `${record.build} ↺ ${buildWanted(record)}` : buildWanted(record);
  const isSaid = pulse.kind === "over" || record.state === "paused";
  const word = isSaid ? pulse.word : `${record.state}, ${pulse.word}`;
  const facts: Fact[] = [{ long: strong(word, pulse.tone), short: strong(pulse.word, pulse.tone) }];
  const tell = (many: number, of: string, sign: string, like: Tone): void => {
    if (many > 0) facts.push({ long: strong(`${sign}${many} ${of}`, like), short: strong(`${sign}${many}`, like) });
  };
  const alike = (same: Span): void => void facts.push({ long: same, short: same });
  if (live !== null) {
    const { serving, hosts, failed, unreachable } = live.progress;
    alike(span(`${serving.length}/${hosts.length}`, "good"));
    tell(failed.length, "failed", "✗", "bad");
    tell(head.ill.length, "unhealthy", "✗", "bad");
    tell(unreachable.length, "unreachable", "?", "warn");
  }
  if (head.wishTrouble !== null) alike(strong(`the wish is ${head.wishTrouble}`, "bad"));
  alike(span(duration(ageMs(record.times.created, isRunning(record) ? now : new Date(record.times.ended))), "dim"));
  return { title: [span(`${glyph} `, tone), strong(`${head.service} ${build}`)], facts };
}

/** How much of its limits is used, how fast it goes, and whose it is. @param now by ZooKeeper's clock */
export function factsOf({ flow }: ServiceSeen, view: DeployView, now: Date): SpanLine[] {
  const { record, live } = view;
  const { max, budget, soakMs } = record.limits;
  const allowed = allowedIn(view);
  const pace = isRunning(record) ? hostsPerMinute(flow, now.getTime()) : null;
  const eta = etaText(view, flow, now);
  const failed = live?.progress.failed.length ?? 0;
  return [
    [span(`out ${Object.keys(live?.out.slots ?? {}).length} of ${amountWithCount(max, allowed.max)}`)],
    [span(`failed ${failed} of budget ${amountWithCount(budget, allowed.budget)}`, failed > 0 ? "bad" : "plain")],
    ...(eta === null ? [] : [[span(eta)]]),
    ...(pace === null ? [] : [[span(`${paceText(pace)} ${sparkline(flow, now.getTime(), 12)}`)]]),
    ...(soakMs > 0 ? [[span(`soak ${soakMs / 1000}s`, "dim")]] : []),
    [span(`by ${oneLine(record.who)}${record.why === "" ? "" : `: ${oneLine(record.why)}`}`, "dim")],
  ];
}

function paceText(pace: number): string {
  return `${pace < 10 ? pace.toFixed(1) : Math.round(pace)} hosts/min`;
}

/** Why it does not move, and what a person can do. */
export function notesOf({ head, overview }: ServiceSeen, pulse: Pulse): SpanLine[] {
  const lines: SpanLine[] = [];
  // What failed is told below, whole.
  const isTold = head.failures.some(({ reason }) => pulse.because.includes(oneLine(reason)));
  if (pulse.because !== "" && !isTold)
    lines.push([span(`! ${pulse.because}`, pulse.tone === "good" ? "plain" : pulse.tone)]);
  for (const wait of overview.waits)
    if (!pulse.because.includes(oneLine(wait))) lines.push([span(`! ${oneLine(wait)}`, "warn")]);
  if (head.frozen !== "") lines.push([span(`! ${head.frozen}`, "warn")]);
  lines.push(...(head.deploy?.steps ?? []).map((step) => [span(`  ${step}`)]));
  lines.push(...problemsOf(head));
  return lines;
}

/** What cannot be read and what keeps hosts from following, one line each. */
export function problemsOf({ problems }: ServiceSeen["head"]): SpanLine[] {
  return problems.map((problem) => [span(`! ${oneLine(problem)}`, "warn")]);
}

const MOST_NAMED = 4;

/** "✗ 3 hosts (web-01, web-02, web-03) failed in check of 9b1e0d4, 2 healthy again: its check failed" */
export function failureLine({ hosts, step, build, reason, healthy }: FailureGroup): SpanLine {
  const where = step === "" ? `with ${build}` : `in ${step} of ${build}`;
  const back = healthy === 0 ? "" : healthy === hosts.length ? ", healthy again" : `, ${healthy} healthy again`;
  const who =
    hosts.length === 1 ? oneLine(hosts[0] ?? "") : `${hosts.length} hosts (${someOf(hosts.map(oneLine), MOST_NAMED)})`;
  return [strong(`✗ ${who}`, "bad"), span(` failed ${where}${back}: ${reason}`, "bad")];
}
