import { isRunning } from "../core/deploy_state.ts";
import { noneOut, type OutHosts } from "../core/gate.ts";
import type { Progress } from "../core/progress.ts";
import type { DeployRecord } from "../schema/deploy_record.ts";
import type { HostStatus } from "../schema/znodes.ts";
import type { Overview } from "./overview.ts";
import { ageMs } from "./times.ts";

/** One deploy as it stands. `live` is null when a newer deploy has taken over the hosts. */
export interface DeployView {
  readonly service: string;
  readonly id: string;
  readonly record: DeployRecord;
  readonly live: { readonly out: OutHosts; readonly progress: Progress } | null;
  /** The barred ones among the builds that the deploy leads to, forwards or back. */
  readonly barred: ReadonlySet<string>;
  readonly statuses: ReadonlyMap<string, HostStatus>;
  /** Hosts whose agent is connected. */
  readonly connected: ReadonlySet<string>;
}

/** The newest deploy of an overview; null where nothing was ever deployed. */
export function newestDeploy(overview: Overview): DeployView | null {
  const { service, statuses, agents, deploy } = overview;
  if (deploy === null) return null;
  const { id, record, out, progress, barred } = deploy;
  return { service, id, record, barred, live: { out, progress }, statuses, connected: new Set(agents.keys()) };
}

/** A host that failed under the deploy, and everything it said about that. */
export interface HostFailure {
  readonly host: string;
  readonly build: string;
  readonly step: string;
  readonly reason: string;
  readonly hint: string;
  /** True when the host serves an older build again, or came to serve this one after all. */
  readonly healthy: boolean;
  readonly log: string;
}

/** Every failure on the deploy's record, the most serious first. */
export function failuresIn(view: DeployView): HostFailure[] {
  const { failed } = view.live?.out ?? noneOut;
  return Object.entries(failed)
    .map(([host, failure]): HostFailure => {
      const status = view.statuses.get(host);
      const error = status?.error?.build === failure.build ? status.error : null;
      return {
        host,
        build: failure.build,
        step: error?.step ?? "",
        reason: error?.message ?? failure.reason,
        hint: error?.hint ?? "",
        healthy: failure.healthy,
        log: error === null ? "" : (status?.log ?? ""),
      };
    })
    .toSorted((a, b) => Number(a.healthy) - Number(b.healthy) || a.host.localeCompare(b.host, "en", { numeric: true }));
}

/** The connected hosts that have failed under the deploy, and are on their way back to the build before. */
export function goingBack({ live, statuses, connected }: DeployView): string[] {
  return Object.entries(live?.out.failed ?? {}).flatMap(([host, { attempt }]) => {
    const status = statuses.get(host);
    return status?.begun === true && status.attempt === attempt && connected.has(host) ? [host] : [];
  });
}

/** What a host that is not done yet is doing. */
export interface Waiting {
  readonly host: string;
  readonly doing: string;
  /** For how long, in milliseconds; null if it is not known since when. */
  readonly forMs: number | null;
}

/** The hosts that a running deploy waits for, those that have held it up longest first. */
export function waitingFor(view: DeployView, now: Date): Waiting[] {
  if (view.live === null) return [];
  const { progress, out } = view.live;
  const settled = new Set([...progress.serving, ...progress.failed]);
  return progress.hosts
    .filter((host) => !settled.has(host))
    .map((host): Waiting => {
      const status = view.statuses.get(host);
      if (!view.connected.has(host)) return { host, doing: "not connected", forMs: null };
      if (status?.held?.deploy === view.id) return { host, doing: "holds it until it is accepted", forMs: null };
      if (status?.wish?.deploy !== view.id) return { host, doing: "has not taken it up", forMs: null };
      const forMs = ageMs(status.since, now);
      if (status.step === "ready" && out.slots[host] === undefined) return { host, doing: "waits for a slot", forMs };
      return { host, doing: status.rollingBack ? `${status.step}, going back` : status.step, forMs };
    })
    .toSorted((a, b) => (b.forMs ?? -1) - (a.forMs ?? -1) || a.host.localeCompare(b.host, "en", { numeric: true }));
}

/** When something last happened to the deploy: a change of its own state, or of one of its hosts' steps. */
export function lastMovement(view: DeployView): string {
  let last = view.record.times.changed;
  for (const host of view.live?.progress.hosts ?? []) {
    const status = view.statuses.get(host);
    if (status?.wish?.deploy === view.id && status.since > last) last = status.since;
  }
  return last;
}

/** After this long without any movement a running deploy that waits only for its hosts counts as stuck. In milliseconds. */
export const STUCK_AFTER_MS = 30_000;

/** @param moved when something last happened to it, where that is known already */
export function stuckForMs(view: DeployView, now: Date, moved?: string): number | null {
  const { state } = view.record;
  // Those wait for a person, or for time.
  if (!isRunning(view.record) || state === "awaiting promotion" || state === "paused") return null;
  const stillMs = ageMs(moved ?? lastMovement(view), now);
  return stillMs >= STUCK_AFTER_MS ? stillMs : null;
}
