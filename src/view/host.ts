import type { DeployRecord } from "../schema/deploy_record.ts";
import type { HostStatus, Role } from "../schema/znodes.ts";
import type { Overview } from "./overview.ts";
import { ageMs, dateTime, duration } from "./times.ts";
import type { Sign, Tone } from "./tone.ts";
import { oneLine } from "./words.ts";

/** Where a host stands, coarser than its step: what decides its glyph, its colour and its place in a list. */
export type HostPhase = "failed" | "unreachable" | "restarting" | "ready" | "preparing" | "serving" | "idle";

const ORDER: readonly HostPhase[] = ["failed", "unreachable", "restarting", "ready", "preparing", "serving", "idle"];

export interface HostRow {
  readonly host: string;
  readonly role: Role;
  readonly zone: string | null;
  readonly connected: boolean;
  readonly phase: HostPhase;
  /** What the host said last; null when it never said anything. */
  readonly status: HostStatus | null;
}

export function phaseOf(status: HostStatus | null, connected: boolean): HostPhase {
  if (!connected) return "unreachable";
  switch (status?.step) {
    case undefined:
    case "idle":
      return "idle";
    case "fetch":
    case "verify":
    case "extract":
    case "install":
      return "preparing";
    case "ready":
      return "ready";
    case "flip":
    case "restart":
    case "check":
    case "soak":
      return "restarting";
    case "serving":
      return status?.health === "unhealthy" ? "failed" : "serving";
    case "failed":
      return "failed";
  }
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

/** Where a host stands, in one word. */
export function hostSign(row: HostRow): Sign {
  return { ...SIGNS[row.phase], word: stepText(row) };
}

/** Every host of a service, the ones that need a person first. */
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

/** Connected hosts that serve something and are ill, or should and do not. */
export function illRows(overview: Pick<Overview, "hosts" | "statuses" | "agents">): HostRow[] {
  return hostRows(overview).filter(
    ({ connected, status }) => connected && status?.health === "unhealthy" && !isRestarting(status),
  );
}

/** What a deploy came to is no news where the service has fallen ill since. */
export function isIllSince({ state }: Pick<DeployRecord, "state">, ill: readonly HostRow[]): boolean {
  return ill.length > 0 && (state === "done" || state === "rolled back");
}

/** What is done to it says more than how it is meanwhile. */
function isRestarting(status: HostStatus): boolean {
  return phaseOf(status, true) === "restarting";
}

/**
 * "unhealthy for 2m 10s: its check failed: connection refused"; empty for one that is well.
 *
 * @param now left out where the age stands beside it
 */
export function illnessText(status: HostStatus | null, now?: Date): string {
  if (status === null || status.health !== "unhealthy" || isRestarting(status)) return "";
  const age = now === undefined ? "" : ` for ${duration(ageMs(status.since, now) + (status.ill?.forS ?? 0) * 1000)}`;
  return `unhealthy${age}${status.ill === undefined ? "" : `: ${oneLine(status.ill.why)}`}`;
}

/** Nothing is done about it: it was stopped, or it died, and its supervisor leaves it so. */
function isDown({ step, build }: HostStatus): boolean {
  return step === "serving" && build === null;
}

/** The step in words: with its direction, and "unreachable" for a host whose last word is only its last word. */
function stepText(row: HostRow): string {
  const step = row.status === null ? "nothing said yet" : isDown(row.status) ? "down" : row.status.step;
  const held = row.status?.held === undefined ? "" : `, holds ${row.status.held.build}`;
  const said = `${step}${row.status?.rollingBack === true ? ", going back" : ""}${held}`;
  return row.connected ? said : row.status === null ? "unreachable" : `unreachable (${said})`;
}

/** What is wrong with it, as it says: what has failed, and until when that is tried again, or why it is unhealthy. */
export function troubleText({ status }: HostRow): string {
  if (status === null || status.error === null) return illnessText(status);
  const { message, until } = status.error;
  return until === undefined ? message : `${message} It is tried again until ${dateTime(until)}.`;
}

/** What one that is not there said last is no news of how it is. */
export function healthText({ connected, status }: HostRow): { readonly word: string; readonly tone: Tone } {
  if (!connected || status === null) return { word: "-", tone: "plain" };
  const illness = illnessText(status);
  return illness === "" ? { word: status.health, tone: "plain" } : { word: illness, tone: "bad" };
}
