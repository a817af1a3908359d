import { restartPhases } from "../schema/restart_phases.ts";
import type { HostStatus } from "../schema/znodes.ts";
import { troubleText } from "./host.ts";
import { STATE_SIGNS, type FleetHost } from "./host_state.ts";
import type { ServiceSeen } from "./service_seen.ts";
import { span, strong, type SpanLine } from "./spans.ts";
import { ageMs, dateTime, duration } from "./times.ts";
import { lastLines, oneLine } from "./words.ts";

const MOST_LOG = 60;

/** What one host does and since when, what failed, and the end of its log. @param now by ZooKeeper's clock */
export function hostLines(seen: ServiceSeen, found: FleetHost, now: Date): SpanLine[] {
  const { status } = found;
  return [
    title(found),
    ...facts(seen, found, now),
    ...(status === null ? [] : [...trouble(seen, found), ...restartLines(status), ...logLines(status)]),
  ];
}

function title({ host, state, role, zone, connected }: FleetHost): SpanLine {
  const { glyph, word, tone } = STATE_SIGNS[state];
  return [
    span(`${glyph} `, tone),
    strong(oneLine(host)),
    span(`  ${word}`, tone),
    span(`  ${role}${zone === "" ? "" : `, zone ${oneLine(zone)}`}`, "dim"),
    ...(connected ? [] : [span("  its agent is not connected: this is what it said last", "warn")]),
  ];
}

function facts({ overview, view }: ServiceSeen, { host, status }: FleetHost, now: Date): SpanLine[] {
  const agent = overview.agents.get(host);
  const hold = overview.hosts.get(host)?.hold;
  const slot = view?.live?.out.slots[host];
  const step =
    status === null
      ? []
      : [
          field(
            "step",
            `${status.step}${status.rollingBack ? ", going back" : ""}, for ${duration(ageMs(status.since, now))}`,
          ),
        ];
  const serves = status === null ? [] : [field("serves", `${status.build ?? "nothing"}, ${status.health}`)];
  const wish =
    status?.wish === undefined || status.wish === null
      ? []
      : [field("wish", `${status.wish.build} (deploy ${status.wish.deploy}, attempt ${status.attempt})`)];
  return [
    ...step,
    ...serves,
    ...wish,
    ...(slot === undefined ? [] : [field("slot", `out of service by our leave since ${dateTime(slot.since)}`)]),
    ...(hold === undefined
      ? []
      : [
          field(
            hold.stop === true ? "leaves" : "held",
            `by ${oneLine(hold.who)}${hold.why === "" ? "" : `: ${oneLine(hold.why)}`}`,
          ),
        ]),
    ...(agent === undefined ? [] : [field("agent", `deployd ${agent.version}, since ${dateTime(agent.since)}`)]),
    ...(status?.warning === undefined ? [] : [[span("! ", "warn"), span(oneLine(status.warning), "warn")]]),
  ];
}

function field(name: string, text: string): SpanLine {
  return [span(`  ${name.padEnd(8)}`, "dim"), span(text)];
}

function trouble({ view }: ServiceSeen, { host, role, zone, connected, status, state }: FleetHost): SpanLine[] {
  const said = troubleText({ host, role, zone, connected, phase: "failed", status });
  const failure = view?.live?.out.failed[host];
  const reason = failure === undefined || said.includes(failure.reason) ? "" : failure.reason;
  const lines = [said, reason].filter((text) => text !== "");
  if (lines.length === 0) return [];
  const hint = status?.error?.hint ?? "";
  const glyph = state === "failed" ? "✗" : "!";
  return [
    [],
    ...lines.map((text) => [
      span(`${glyph} ${status?.error === null ? "" : `${status?.error?.step ?? ""}: `}${oneLine(text)}`, "bad"),
    ]),
    ...(hint === "" ? [] : [[span(`  ${oneLine(hint)}`)]]),
  ];
}

/** How long each phase of its last restart took. */
function restartLines({ restart }: HostStatus): SpanLine[] {
  const phases = restartPhases.flatMap((phase) => {
    const ms = restart?.phaseMs[phase];
    return ms === undefined ? [] : [[phase, ms] as const];
  });
  if (restart === undefined || restart === null || phases.length === 0) return [];
  const all = phases.reduce((sum, [, ms]) => sum + ms, 0);
  return [
    [],
    [strong("last restart"), span(` into ${restart.build}, ${seconds(all)}`)],
    ...phases.map(([phase, ms]): SpanLine => [
      span(`  ${phase.padEnd(10)}`, "dim"),
      span(`${seconds(ms).padStart(8)}  `),
      span("█".repeat(Math.max(1, Math.round((ms / Math.max(1, all)) * 30))), "busy"),
    ]),
  ];
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

function logLines({ log }: HostStatus): SpanLine[] {
  if (log === "") return [];
  return [
    [],
    [strong("the end of its log")],
    ...lastLines(log, MOST_LOG).map((line): SpanLine => [span("  | ", "dim"), span(line)]),
  ];
}
