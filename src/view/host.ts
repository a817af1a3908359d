import { phaseOf, type HostPhase } from "../core/host_state.ts";
import type { DeployRecord } from "../schema/deploy_record.ts";
import type { HostStatus, Role } from "../schema/znodes.ts";
import type { Overview } from "./overview.ts";
import { ageMs, dateTime, duration } from "./times.ts";
import type { Sign, Tone } from "./tone.ts";
import { oneLine } from "./words.ts";

const ORDER: readonly HostPhase[] = ["failed", "unreachable", "restarting", "ready", "preparing", "serving", "idle"];

export interface HostRow {
  readonly host: string;
  readonly role: Role;
  readonly zone: string | null;
  readonly connected: boolean;
  readonly phase: HostPhase;
  /** The host's last status; null if it never reported one. */
  readonly status: HostStatus | null;
}

const SIGNS: Readonly<Record<HostPhase, { readonly glyph: string; readonly tone: Tone }>> = {
  failed: { glyph: "✗", tone: "bad" },
  unreachable: { glyph: "?", tone: "warn" },
  restarting: { glyph: "↻", tone: "busy" },
  ready: { glyph: "…", tone: "busy" },
  preparing: { glyph: "↓", tone: "busy" },
  serving: { glyph: "✓", tone: "good" },
  idle: { glyph: "·", tone: "dim" },
};

/** The state of a host, in one word. */
export function hostSign(row: HostRow): Sign {
  return { ...SIGNS[row.phase], word: stepText(row) };
}

/** Every host of a service; hosts that need a person come first. */
export function hostRows(overview: Pick<Overview, "hosts" | "statuses" | "agents">): HostRow[] {
  return [...overview.hosts]
    .map(([host, record]): HostRow => {
      const status = overview.statuses.get(host) ?? null;
      const connected = overview.agents.has(host);
      return {
        host,
        role: record.role,
        zone: record.zone ?? null,
        connected,
        phase: phaseOf(status, connected),
        status,
      };
    })
    .toSorted(
      (a, b) =>
        ORDER.indexOf(a.phase) - ORDER.indexOf(b.phase) || a.host.localeCompare(b.host, "en", { numeric: true }),
    );
}

/** Connected hosts that are unhealthy: they serve something and are ill, or serve nothing though they should. */
export function illRows(overview: Pick<Overview, "hosts" | "statuses" | "agents">): HostRow[] {
  const { hosts, statuses, agents } = overview;
  // Of thousands few are ill, and to sort them all takes long.
  const ill = [...hosts].filter(([host]) => {
    const status = statuses.get(host);
    return status?.health === "unhealthy" && agents.has(host) && !isRestarting(status);
  });
  return hostRows({ hosts: new Map(ill), statuses, agents });
}

/** A deploy's good outcome is outdated once the service has become ill after it. */
export function isIllSince({ state }: Pick<DeployRecord, "state">, ill: readonly HostRow[]): boolean {
  return ill.length > 0 && (state === "done" || state === "rolled back");
}

/** A restart in progress says more than the host's health meanwhile. */
function isRestarting(status: HostStatus): boolean {
  return phaseOf(status, true) === "restarting";
}

/**
 * "unhealthy for 2m 10s: its check failed: connection refused"; empty for a healthy one.
 *
 * @param now left out if the age is shown beside it
 */
export function illnessText(status: HostStatus | null, now?: Date): string {
  if (status === null || status.health !== "unhealthy" || isRestarting(status)) return "";
  const age = now === undefined ? "" : ` for ${duration(ageMs(status.since, now) + (status.ill?.forS ?? 0) * 1000)}`;
  return `unhealthy${age}${status.ill === undefined ? "" : `: ${oneLine(status.ill.why)}`}`;
}

/** The service is down, and nothing brings it up: it was stopped, or it died and its supervisor does not restart it. */
function isDown({ step, build }: HostStatus): boolean {
  return step === "serving" && build === null;
}

/** How far a host has left; null for one that does not. */
function leavingText({ leaving }: HostStatus): string | null {
  switch (leaving?.phase) {
    case undefined:
      return null;
    case "stopping":
      return "leaving";
    case "stopped":
      return "left";
    case "starting":
      return "coming back";
    case "refused":
      return "cannot leave";
  }
}

/** The step in words, with its direction; "unreachable" for a disconnected host, whose last status may be outdated. */
function stepText(row: HostRow): string {
  const { status } = row;
  const step = status === null ? "nothing said yet" : (leavingText(status) ?? (isDown(status) ? "down" : status.step));
  const held = row.status?.held === undefined ? "" : `, holds ${row.status.held.build}`;
  const said = `${step}${row.status?.rollingBack === true ? ", going back" : ""}${held}`;
  return row.connected ? said : row.status === null ? "unreachable" : `unreachable (${said})`;
}

/** What the host says is wrong with it: what failed and until when it retries, or why it is unhealthy. */
export function troubleText({ status }: HostRow): string {
  const kept = status?.leaving?.problem ?? "";
  if (kept !== "") return kept;
  if (status === null || status.error === null) return illnessText(status);
  const { message, until } = status.error;
  return until === undefined ? message : `${message} It is tried again until ${dateTime(until)}.`;
}

/** The last status of a disconnected host says nothing about its health now. */
export function healthText({ connected, status }: HostRow): { readonly word: string; readonly tone: Tone } {
  if (!connected || status === null) return { word: "-", tone: "plain" };
  const illness = illnessText(status);
  return illness === "" ? { word: status.health, tone: "plain" } : { word: illness, tone: "bad" };
}
