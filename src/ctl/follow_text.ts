import { buildWanted, endedAt, reasonOf } from "../core/deploy_state.ts";
import { failuresIn, type DeployView, type HostFailure } from "./deploy_model.ts";
import { costText, failedText, failureLines, nextSteps, progressText, stateText, waitingText } from "./deploy_text.ts";
import { exit } from "./exit.ts";
import { exitForOutcome, type FollowEvent, type Outcome, type Purpose } from "./follow_model.ts";
import type { Paint } from "./paint.ts";
import { hostGlyph, paintHost, phaseOf } from "./host_model.ts";
import { count, oneLine } from "./text.ts";
import { clockTime, duration, secondsBetween } from "./times.ts";

/** One event as lines for people; the first begins with the time of day, in UTC. */
export function followLines(event: FollowEvent, at: Date, paint: Paint): string[] {
  const [first, ...rest] = describe(event, at, paint);
  return first === undefined ? [] : [`${paint.dim(clockTime(at))}  ${first}`, ...rest];
}

function describe(event: FollowEvent, at: Date, paint: Paint): string[] {
  switch (event.event) {
    case "started":
      return [startedText(event.view, paint)];
    case "state": {
      const { record } = event.view;
      const { glyph, word } = stateText(record, paint);
      const reason = reasonOf(record);
      return [`${glyph} ${word}${reason === "" ? "" : `: ${oneLine(reason)}`}`];
    }
    case "host": {
      const { host, status } = event;
      const phase = phaseOf(status, true);
      const direction = status.rollingBack ? " (going back)" : "";
      const error = status.error === null ? "" : `: ${oneLine(status.error.message)}`;
      return [paintHost(phase, `${hostGlyph(phase)} ${oneLine(host)} ${status.step}${direction}${error}`, paint)];
    }
    case "agent":
      return event.connected
        ? [`· ${oneLine(event.host)} is connected`]
        : [paint.warn(`? ${oneLine(event.host)} is not connected any more`)];
    case "progress":
      return [paint.bold(`  ${progressText(event.view)}`)];
    case "waiting": {
      if (event.agents === 0 && event.for.length === 0)
        return [paint.warn("! no host has registered for this service yet; the deploy waits for one")];
      if (event.agents === 0)
        return [paint.warn(`! no agent is connected; the deploy waits for ${waitingText(event.for)}`)];
      return [paint.warn(`! nothing has moved for ${duration(event.forMs)}; waiting for ${waitingText(event.for)}`)];
    }
    case "stale":
      return [
        paint.warn(`? the connection to ZooKeeper is lost (${oneLine(event.reason)}); the deploy goes on without us`),
      ];
    case "fresh":
      return ["· ZooKeeper is back"];
    case "timed-out":
      return [paint.warn(`! not over after ${duration(event.afterMs)}; the deploy goes on without us`)];
    case "outcome":
      return outcomeLines(event.outcome, event.view, at, paint);
  }
}

function startedText({ service, id, record, live }: DeployView, paint: Paint): string {
  const from = record.previous === null ? "" : ` after ${record.previous}`;
  const hosts =
    live === null ? "" : ` on ${count(live.progress.hosts.length, record.stage === "canary" ? "canary host" : "host")}`;
  const why = record.why === "" ? "" : ` (${oneLine(record.why)})`;
  const { word } = stateText(record, paint);
  return `${paint.bold(`${service} ${record.build}`)}${from}${hosts}, deploy ${id} by ${oneLine(record.who)}${why}: ${word}`;
}

function outcomeLines(outcome: Outcome, view: DeployView, at: Date, paint: Paint): string[] {
  const { record } = view;
  const took = duration(secondsBetween(record.times.created, endedAt(record) ?? at) * 1000);
  const reason = oneLine(reasonOf(record));
  const steps = nextSteps(view).map((step) => `          ${step}`);
  const cost = [costText(view)].filter((text) => text !== "").map((text) => `          ${text}`);
  switch (outcome.kind) {
    case "done": {
      const failures = failuresIn(view);
      const head = paint.good(`✓ done after ${took}: ${record.build}, ${progressText(view)}`);
      return [head, ...cost, ...failures.flatMap((failure) => failureLines(failure, paint))];
    }
    case "awaiting-promotion":
      return [
        paint.good(`◆ ${record.build} is healthy on the canary hosts after ${took}: ${progressText(view)}`),
        ...cost,
        ...failuresIn(view).flatMap((failure) => failureLines(failure, paint)),
        ...steps,
      ];
    case "halted":
      return [
        paint.bad(`✗ halted after ${took}: ${reason}${failedText(outcome.failures)}`),
        ...cost,
        ...outcome.failures.flatMap((failure) => failureLines(failure, paint)),
        ...steps,
      ];
    case "rolled-back":
      return [paint.warn(`↺ rolled back to ${buildWanted(record)}: ${reason}`)];
    case "aborted":
      return [paint.bad(`✗ aborted after ${took}: ${reason}`), ...steps];
    case "held":
      return [
        paint.bad(
          `✗ ${count(outcome.hosts.length, "host")} hold the wish for ${record.build}: it is older than what they have followed`,
        ),
        `          follow it:  deployd ctl services accept ${view.service}`,
      ];
    case "overtaken":
      return [paint.bad("✗ a newer deploy has taken its hosts over before it was done")];
  }
}

/** One event as a JSON document, `deployd.ctl.follow/1`. */
export function followDocument(
  event: FollowEvent,
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

function stateFields({ record, live }: DeployView) {
  const { build, previous, who, why, stage, state, limits } = record;
  return {
    build,
    previous,
    who,
    why,
    stage,
    state,
    reason: reasonOf(record),
    limits: { max: limits.max, budget: limits.budget, soak_s: limits.soakMs / 1000 },
    progress:
      live === null
        ? null
        : {
            hosts: live.progress.hosts.length,
            serving: live.progress.serving.length,
            restarting: Object.keys(live.gate.slots).length,
            failed: live.progress.failed.length,
            unreachable: live.progress.unreachable.length,
          },
    cost: costFields(live),
  };
}

/** What the restarts have cost the clients so far; null before the first. */
export function costFields(live: DeployView["live"]) {
  const cost = live?.gate.cost;
  if (cost === undefined) return null;
  const { hosts, instances, closed, refused, phaseMs } = cost;
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
