import { buildWanted, endedAt, reasonOf, stageNow } from "../core/deploy_state.ts";
import { amountText } from "../core/limits.ts";
import { stageText } from "../core/stages.ts";
import { isFrozen } from "../core/windows.ts";
import type { Freeze } from "../schema/windows.ts";
import { failuresIn, newestDeploy, stuckForMs, waitingFor, type DeployView, type HostFailure } from "./deploy.ts";
import { costText, nextSteps, stateSign, waitingText } from "./deploy_words.ts";
import { hostRows, illRows, isIllSince, type HostRow } from "./host.ts";
import { allowedIn, amountWithCount } from "./limit_words.ts";
import type { Overview } from "./overview.ts";
import { ageMs, duration } from "./times.ts";
import type { Sign } from "./tone.ts";
import { oneLine } from "./words.ts";

/** One service as it is shown: first what moves, what is stuck and what failed, then the hosts. */
export interface ServiceStatus extends ServiceSummary {
  readonly hosts: readonly HostRow[];
}

/** What is said of a service before its hosts. */
export interface ServiceSummary {
  readonly service: string;
  /** Null if nothing was ever deployed; not meaningful while `wishTrouble` is set. */
  readonly deploy: DeployStatus | null;
  /** Why no host follows the wish, in a word; null if hosts follow it. */
  readonly wishTrouble: string | null;
  readonly failures: readonly HostFailure[];
  /** Hosts that became ill without a failed deploy: nothing is being deployed, so something else has happened to them. */
  readonly ill: readonly HostRow[];
  /** What cannot be read and what blocks the deploy, one sentence each. */
  readonly problems: readonly string[];
  /** The builds that are wished; null if there is no such wish. */
  readonly wish: { readonly fleet: string | null; readonly isByHand: boolean; readonly canary: string | null };
  /** Who has frozen it, until when and why; empty where deploys may start. */
  readonly frozen: string;
}

export interface DeployStatus {
  readonly view: DeployView;
  readonly sign: Sign;
  /** Hosts that have become ill since the deploy ended; 0 while it has not ended. */
  readonly illSince: number;
  readonly build: string;
  /** Since its state changed, in milliseconds. */
  readonly ageMs: number;
  readonly reason: string;
  /** "nothing has moved for 2m 10s; waiting for web-03 (install, 2m 10s)"; empty if it moves, or need not. */
  readonly stuck: string;
  /** Why hosts get no slot although they are ready, one sentence each. */
  readonly waits: readonly string[];
  /** What a person can do now. */
  readonly steps: readonly string[];
  /** What it is, who started it, and its limits; one line each. */
  readonly facts: readonly string[];
}

/** @param now by ZooKeeper's clock */
export function serviceStatus(overview: Overview, now: Date): ServiceStatus {
  return { ...serviceSummary(overview, now), hosts: hostRows(overview) };
}

/** @param now by ZooKeeper's clock */
export function serviceSummary(overview: Overview, now: Date): ServiceSummary {
  const { service, wishes, wishTrouble, problems, settings } = overview;
  const { freeze } = settings;
  const view = newestDeploy(overview);
  const failures = view === null ? [] : failuresIn(view);
  const told = new Set(failures.map(({ host }) => host));
  const ill = illRows(overview);
  return {
    service,
    deploy: view === null ? null : deployStatus(view, overview.waits, ill, now),
    wishTrouble: wishTrouble?.word ?? null,
    failures,
    ill: ill.filter(({ host }) => !told.has(host)),
    problems,
    wish: {
      fleet: wishes.enabled?.build ?? null,
      isByHand: wishes.enabled !== null && wishes.enabled.deploy === undefined,
      canary: wishes.canary?.build ?? null,
    },
    frozen: freeze !== undefined && isFrozen(freeze, now) ? frozenText(freeze) : "",
  };
}

function deployStatus(view: DeployView, waits: readonly string[], ill: readonly HostRow[], now: Date): DeployStatus {
  const { record } = view;
  const illSince = isIllSince(record, ill) ? ill.length : 0;
  const stuckMs = stuckForMs(view, now);
  return {
    view,
    sign: illSince > 0 ? { glyph: "✗", word: record.state, tone: "bad" } : stateSign(record),
    illSince,
    build: buildWanted(record),
    ageMs: ageMs(endedAt(record) ?? record.times.changed, now),
    reason: reasonOf(record),
    stuck:
      stuckMs === null
        ? ""
        : `nothing has moved for ${duration(stuckMs)}; waiting for ${waitingText(waitingFor(view, now))}`,
    waits,
    steps: nextSteps(view),
    facts: deployFacts(view, now),
  };
}

function deployFacts(view: DeployView, now: Date): string[] {
  const { id, record } = view;
  const why = record.why === "" ? "" : `: ${oneLine(record.why)}`;
  const { max, maxPerZone, budget, soakMs } = record.limits;
  const allowed = allowedIn(view);
  const from = record.previous === null ? "the first deploy" : `after ${record.previous}`;
  const begun = `${duration(ageMs(record.times.created, now))} ago`;
  return [
    `${id} of ${record.build}, ${from}, by ${oneLine(record.who)} ${begun}${why}`,
    [
      `max ${amountWithCount(max, allowed.max)}`,
      ...(maxPerZone === undefined ? [] : [`max per zone ${amountText(maxPerZone)}`]),
      `budget ${amountWithCount(budget, allowed.budget)}`,
      `soak ${soakMs / 1000}s`,
      `stages ${record.stages.map(stageText).join(" > ")}`,
      `now ${stageNow(record)}`,
      ...(record.onHalt === "ask" ? [] : [`on halt ${record.onHalt}`]),
    ].join(", "),
    ...[costText(view)].filter((text) => text !== ""),
  ];
}

/** "frozen until 2026-12-27T00:00:00Z by ana@laptop: Christmas" */
export function frozenText({ until, who, why }: Freeze): string {
  const end = until === undefined ? "" : ` until ${until}`;
  return `frozen${end} by ${oneLine(who)}${why === "" ? "" : `: ${oneLine(why)}`}`;
}
