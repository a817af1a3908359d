import type { HostStatus, Wish } from "../schema/znodes.ts";
import { failuresIn, lastMovement, newestDeploy, stuckForMs, waitingFor, type DeployView } from "../view/deploy.ts";
import { hostRows, type HostRow } from "../view/host.ts";
import type { Overview } from "../view/overview.ts";
import { secondsBetween } from "../view/times.ts";
import { deployFields } from "./deploy_document.ts";
import { settingsFields } from "./service_text.ts";
import { costFields, failureFields, secondsByPhase } from "./watch_text.ts";

/** `status SERVICE --json`: `deployd.ctl.status/1`. Times are RFC 3339 in UTC, durations seconds. */
export function statusDocument(overview: Overview, now: Date) {
  const view = newestDeploy(overview);
  const { service, settings } = overview;
  return {
    schema: "deployd.ctl.status/1",
    time: now.toISOString(),
    service,
    settings: settingsFields(settings),
    wish: wishFields(overview.wishes.enabled),
    canary_wish: wishFields(overview.wishes.canary),
    deploy: view === null ? null : liveFields(view, now),
    hosts: hostRows(overview).map((row) => hostFields(row, now)),
    wish_trouble: overview.wishTrouble ?? null,
    waits: overview.waits,
    problems: overview.problems,
  };
}

function wishFields(wish: Wish | null) {
  return wish === null ? null : { build: wish.build, deploy: wish.deploy ?? null };
}

function liveFields(view: DeployView, now: Date) {
  const stuckMs = stuckForMs(view, now);
  return {
    ...deployFields(view.id, view.record, now),
    progress: progressFields(view),
    cost: costFields(view),
    last_movement: lastMovement(view),
    stuck_s: stuckMs === null ? null : Math.round(stuckMs / 1000),
    waiting_for: stuckMs === null ? [] : waitingFor(view, now).map(({ host, doing }) => ({ host, doing })),
    failures: failuresIn(view).map(failureFields),
  };
}

function progressFields({ live }: DeployView) {
  if (live === null) return null;
  const { hosts, serving, failed, unreachable } = live.progress;
  return { hosts: hosts.length, serving, restarting: Object.keys(live.out.slots), failed, unreachable };
}

function hostFields({ host, role, zone, connected, phase, status }: HostRow, now: Date) {
  return {
    host,
    role,
    zone,
    connected,
    phase,
    build: status?.build ?? null,
    held: status?.held === undefined ? null : wishFields(status.held),
    step: status?.step ?? null,
    rolling_back: status?.rollingBack ?? false,
    health: status?.health ?? null,
    ill: status?.ill ?? null,
    since: status?.since ?? null,
    age_s: status === null ? null : secondsBetween(status.since, now),
    error: status?.error ?? null,
    log: status?.log ?? "",
    restart: restartFields(status?.restart ?? null),
  };
}

/** What the last restart of the service on this host cost its clients. */
function restartFields(restart: NonNullable<HostStatus["restart"]> | null) {
  if (restart === null) return null;
  const { build, deploy, instances, closed, refused, forced, phaseMs } = restart;
  return {
    build,
    deploy,
    instances,
    closed_connections: closed,
    refused_connections: refused,
    forced,
    phases_s: secondsByPhase(phaseMs),
  };
}
