import { costOf } from "../core/deploy_cost.ts";
import { reasonOf, stageNow } from "../core/deploy_state.ts";
import { failuresIn, type DeployView, type HostFailure } from "../view/deploy.ts";
import { limitsFields } from "./service_text.ts";
import type { DeployCost } from "../schema/znodes.ts";
import type { DeployEvent, Purpose } from "../view/deploy_events.ts";
import { waitingText } from "../view/deploy_words.ts";
import { clockTime, duration } from "../view/times.ts";
import { oneLine } from "../view/words.ts";
import { exit } from "../cli/exit.ts";
import { exitForOutcome } from "./outcome_exit.ts";
import type { Paint } from "../cli/paint.ts";

/** Events that are not about the deploy itself, but about waiting for it; each begins with the time of day, in UTC. */
export type AsideEvent = Extract<DeployEvent, { event: "waiting" | "stale" | "fresh" | "timed-out" }>;

export function asideLine(event: AsideEvent, at: Date, paint: Paint): string {
  return `${paint.dim(clockTime(at))}  ${asideText(event, paint)}`;
}

function asideText(event: AsideEvent, paint: Paint): string {
  switch (event.event) {
    case "waiting": {
      if (event.agents === 0 && event.for.length === 0)
        return paint.warn("! no host has registered for this service yet; the deploy waits for one");
      if (event.agents === 0)
        return paint.warn(`! no agent is connected; the deploy waits for ${waitingText(event.for)}`);
      return paint.warn(`! nothing has moved for ${duration(event.forMs)}; waiting for ${waitingText(event.for)}`);
    }
    case "stale":
      return paint.warn(
        `? the connection to ZooKeeper is lost (${oneLine(event.reason)}); the deploy goes on without us`,
      );
    case "fresh":
      return "· ZooKeeper is back";
    case "timed-out":
      return paint.warn(`! not done after ${duration(event.afterMs)}; the deploy goes on without us`);
  }
}

/** One event as a JSON document, `deployd.ctl.follow/1`. */
export function deployEventDocument(
  event: DeployEvent,
  at: Date,
  deploy: { service: string; id: string },
  purpose: Purpose,
) {
  const head = {
    schema: "deployd.ctl.follow/1",
    time: at.toISOString(),
    service: deploy.service,
    deploy: deploy.id,
    event: event.event,
  };
  switch (event.event) {
    case "started":
    case "state":
    case "progress":
      return { ...head, ...stateFields(event.view) };
    case "host": {
      const { build, step, rollingBack, error, health, log } = event.status;
      const failed = error === null ? {} : { log };
      return { ...head, host: event.host, step, build, health, rolling_back: rollingBack, error, ...failed };
    }
    case "agent":
      return { ...head, host: event.host, connected: event.connected };
    case "waiting": {
      const hosts = event.for.map(({ host, doing, forMs }) => ({ host, doing, for_s: seconds(forMs) }));
      return { ...head, for_s: seconds(event.forMs), agents: event.agents, hosts };
    }
    case "stale":
      return { ...head, for_s: seconds(event.forMs), reason: event.reason };
    case "fresh":
      return head;
    case "timed-out":
      return { ...head, after_s: seconds(event.afterMs), exit: exit.timedOut };
    case "outcome":
      return {
        ...head,
        outcome: event.outcome.kind,
        exit: exitForOutcome(event.outcome, purpose),
        ...stateFields(event.view),
        failures: failuresIn(event.view).map(failureFields),
      };
  }
}

function stateFields(view: DeployView) {
  const { record, live } = view;
  const { build, previous, who, why, state, limits } = record;
  return {
    build,
    previous,
    who,
    why,
    stage: stageNow(record),
    state,
    reason: reasonOf(record),
    limits: limitsFields(limits),
    progress:
      live === null
        ? null
        : {
            hosts: live.progress.hosts.length,
            serving: live.progress.serving.length,
            restarting: Object.keys(live.out.slots).length,
            failed: live.progress.failed.length,
            unreachable: live.progress.unreachable.length,
          },
    cost: costFields(view),
  };
}

/** What the restarts have cost the clients so far; null before the first. */
export function costFields(view: DeployView) {
  const cost = costOf(view.statuses, view);
  return cost === null ? null : costDocument(cost);
}

export function costDocument({ hosts, instances, closed, refused, phaseMs }: DeployCost) {
  return {
    hosts,
    instances,
    closed_connections: closed,
    refused_connections: refused,
    phases_s: secondsByPhase(phaseMs),
  };
}

export function secondsByPhase(phaseMs: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(phaseMs).map(([phase, ms]) => [phase, ms / 1000]));
}

export function failureFields(failure: HostFailure) {
  const { host, build, step, reason, hint, healthy, log } = failure;
  return { host, build, step: step === "" ? null : step, message: reason, hint, healthy, log };
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms / 100) / 10;
}
