import { waitingFor } from "../view/deploy.ts";
import { STATE_SIGNS, type FleetHost } from "../view/host_state.ts";
import { etaText, pulseOf } from "../view/pulse.ts";
import { span, type SpanLine } from "../view/spans.ts";
import { ageMs, duration } from "../view/times.ts";
import { oneLine } from "../view/words.ts";
import { barLine, headline } from "./fleet_head.ts";
import { fitting } from "./lines.ts";
import type { ServiceSeen } from "../view/service_seen.ts";

const AT_WORK: ReadonlySet<FleetHost["state"]> = new Set(["restarting", "soaking", "going back"]);

/**
 * A deploy in three lines, for below what a command prints: whether it moves and how far it is, a bar, and who is out of
 * service, or what it waits for.
 */
export function compactLines(seen: ServiceSeen, now: Date, columns: number): SpanLine[] {
  const { view, overview, hosts, flow, moved } = seen;
  if (view === null) return [];
  const pulse = pulseOf(view, overview.waits, moved, now);
  const eta = etaText(view, flow, now);
  const head = headline(seen, view, pulse, now, columns);
  const out = hosts.filter(({ state }) => AT_WORK.has(state));
  const parts: SpanLine[] = out.map(({ host, state, status }) => {
    const { glyph, tone } = STATE_SIGNS[state];
    const age = status === null ? "" : ` ${duration(ageMs(status.since, now))}`;
    return [span(`${glyph} ${oneLine(host)} ${status?.step ?? ""}${age}  `, tone)];
  });
  const waits = pulse.kind === "stuck" || pulse.because !== "" ? [[span(`! ${pulse.because}`, pulse.tone)]] : [];
  const rest = parts.length > 0 ? parts : waits.length > 0 ? waits : waitingLines(seen, now);
  return [
    head,
    barLine(seen, columns),
    fitting([], [...(eta === null ? [] : [[span(`${eta}  `, "dim")]]), ...rest], columns),
  ];
}

function waitingLines({ view }: ServiceSeen, now: Date): SpanLine[] {
  if (view === null) return [];
  return waitingFor(view, now).map(({ host, doing, forMs }) => [
    span(`${oneLine(host)} ${doing}${forMs === null ? "" : ` ${duration(forMs)}`}  `, "dim"),
  ]);
}
