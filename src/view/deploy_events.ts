import { buildWanted, goesBack, isRunning, reasonOf, waitsForPerson } from "../core/deploy_state.ts";
import type { HostStatus } from "../schema/znodes.ts";
import { failuresIn, goingBack, type DeployView, type HostFailure, type Waiting } from "./deploy.ts";

/** What the command asked for: it decides which outcome counts as success. */
export type Purpose = "deploy" | "promote" | "rollback" | "wait";

export type DeployEvent =
  | { readonly event: "started"; readonly view: DeployView }
  | { readonly event: "state"; readonly view: DeployView }
  | { readonly event: "host"; readonly host: string; readonly status: HostStatus }
  | { readonly event: "agent"; readonly host: string; readonly connected: boolean }
  | { readonly event: "progress"; readonly view: DeployView }
  /** Nothing has moved for this long, in milliseconds. */
  | { readonly event: "waiting"; readonly forMs: number; readonly for: readonly Waiting[]; readonly agents: number }
  | { readonly event: "stale"; readonly forMs: number; readonly reason: string }
  | { readonly event: "fresh" }
  /** `--timeout-s` is over. */
  | { readonly event: "timed-out"; readonly afterMs: number }
  | { readonly event: "outcome"; readonly outcome: DeployOutcome; readonly view: DeployView };

/** How a deploy ended, or where it stopped to wait for a person. */
export type DeployOutcome =
  | { readonly kind: "done" | "rolled-back" | "awaiting-promotion" | "paused" }
  | { readonly kind: "aborted"; readonly nothingBefore: boolean }
  | { readonly kind: "halted"; readonly failures: readonly HostFailure[] }
  /**
   * These hosts hold the deploy: they have already followed a newer wish (ZooKeeper was restored from a backup), so none
   * of them goes on with it.
   */
  | { readonly kind: "held"; readonly hosts: readonly string[] }
  /** A newer deploy came before this one was over. */
  | { readonly kind: "overtaken" };

/**
 * The outcome of this deploy; null while it goes on. A reading from before the requested change (another server may lag
 * behind) is no outcome: it shows the state that was to be changed.
 *
 * @param acts how many acts its record had after the requested change; 0 where none was requested
 */
export function outcomeOf(view: DeployView, purpose: Purpose, acts = 0): DeployOutcome | null {
  const { record } = view;
  if (record.acts.length < acts) return null;
  const aborted = { kind: "aborted", nothingBefore: record.previous === null } as const;
  // If nothing was served before the deploy, a rollback aborts it at once: there is no way back.
  const isFirst = record.state === "aborted" && aborted.nothingBefore;
  if (purpose === "rollback" && !goesBack(record)) return isFirst ? aborted : null;
  switch (record.state) {
    case "done": {
      const hosts = holding(view);
      return hosts.length === 0 ? { kind: "done" } : { kind: "held", hosts };
    }
    case "halted":
      // What it came to on a host that goes back is told when it is back.
      if (goingBack(view).length > 0) return null;
      return { kind: "halted", failures: failuresIn(view) };
    case "aborted":
      return aborted;
    case "rolled back":
      return { kind: "rolled-back" };
    case "awaiting promotion":
      if (waitsForPerson(record)) return { kind: "awaiting-promotion" };
      break;
    case "paused":
      return { kind: "paused" };
    case "preparing":
    case "canary":
    case "rolling":
    case "rolling back": {
      // While any host still follows the deploy, it goes on with those hosts.
      const hosts = holding(view);
      const reached = view.live?.progress.hosts.filter((host) => view.connected.has(host)) ?? [];
      if (hosts.length > 0 && reached.every((host) => hosts.includes(host))) return { kind: "held", hosts };
      break;
    }
  }
  return view.live === null && isRunning(record) ? { kind: "overtaken" } : null;
}

/**
 * Hosts that hold this deploy because they have already followed a newer wish, as after ZooKeeper was restored from a
 * backup.
 */
function holding({ id, statuses }: DeployView): string[] {
  return [...statuses].filter(([, { held }]) => held?.deploy === id).map(([host]) => host);
}

/** What has happened to a deploy between two readings, in the order in which to tell it. */
export function changesBetween(before: DeployView | null, after: DeployView): DeployEvent[] {
  const events: DeployEvent[] = [];
  if (before === null) events.push({ event: "started", view: after });
  events.push(...hostChanges(before, after));
  if (before === null || progressKey(before) !== progressKey(after)) events.push({ event: "progress", view: after });
  // What the hosts did comes first, because it explains why the deploy changed its state.
  if (before !== null && stateKey(before) !== stateKey(after)) events.push({ event: "state", view: after });
  return events;
}

function hostChanges(before: DeployView | null, after: DeployView): DeployEvent[] {
  return (after.live?.progress.hosts ?? []).flatMap((host): DeployEvent[] => {
    const events: DeployEvent[] = [];
    const status = after.statuses.get(host);
    const connected = after.connected.has(host);
    if (before !== null && before.connected.has(host) !== connected) events.push({ event: "agent", host, connected });
    const key = hostKey(after, host);
    if (status !== undefined && key !== "" && (before === null || hostKey(before, host) !== key)) {
      events.push({ event: "host", host, status });
    }
    return events;
  });
}

function stateKey({ record }: DeployView): string {
  return [record.state, record.stage, reasonOf(record)].join("\n");
}

/** What a host does for this deploy; empty while it still follows an older wish, which is no news. */
function hostKey({ id, record, statuses }: DeployView, host: string): string {
  const status = statuses.get(host);
  if (status === undefined || status.wish?.deploy !== id || status.wish.build !== buildWanted(record)) return "";
  return [status.step, status.rollingBack, status.build, status.error?.message, status.error?.step].join("\n");
}

function progressKey({ live, record }: DeployView): string {
  if (live === null) return "overtaken";
  const { hosts, serving, failed, unreachable } = live.progress;
  const counts = [hosts, serving, failed, unreachable].map((names) => names.length);
  return [record.state, ...counts, Object.keys(live.out.slots).length].join("\n");
}
