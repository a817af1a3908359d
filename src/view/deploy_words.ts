import { costOf } from "../core/deploy_cost.ts";
import { buildWanted, isBeforeLastStage, stageAfter } from "../core/deploy_state.ts";
import { goOnFrom, promotionOf, wayBackFrom } from "../core/ways_out.ts";
import type { DeployRecord } from "../schema/deploy_record.ts";
import type { DeployView, HostFailure, Waiting } from "./deploy.ts";
import { allowedIn } from "./limit_words.ts";
import { illnessText } from "./host.ts";
import { duration } from "./times.ts";
import type { Sign } from "./tone.ts";
import { count, oneLine, someOf } from "./words.ts";

/** "3/12 serving, restarting 1/2, failed 0 (budget 1), 1 unreachable" */
export function progressText({ live, record }: DeployView): string {
  if (live === null) return "a newer deploy has taken its hosts over";
  const { progress, out } = live;
  const { max, budget } = allowedIn({ record, live });
  const parts = [
    `${progress.serving.length}/${progress.hosts.length} serving`,
    `restarting ${Object.keys(out.slots).length}/${max}`,
    `failed ${progress.failed.length} (budget ${budget})`,
  ];
  if (progress.unreachable.length > 0) parts.push(`${progress.unreachable.length} unreachable`);
  return parts.join(", ");
}

/** "3 of 4 hosts serve 9b1e0d4, 1 failed, 1 unreachable" */
export function servingText({ live, record }: DeployView): string {
  if (live === null) return "a newer deploy has taken its hosts over";
  const { hosts, serving, failed, unreachable } = live.progress;
  const verb = serving.length === 1 ? "serves" : "serve";
  const parts = [`${serving.length} of ${count(hosts.length, "host")} ${verb} ${buildWanted(record)}`];
  if (failed.length > 0) parts.push(`${failed.length} failed`);
  if (unreachable.length > 0) parts.push(`${unreachable.length} unreachable`);
  return parts.join(", ");
}

/**
 * "restarted 12 instances on 3 hosts: 0 connections closed, 0 refused", as far as it is known; empty if nothing can be
 * counted.
 */
export function costText(view: DeployView): string {
  const cost = costOf(view.statuses, view);
  if (cost === null || (cost.closed === null && cost.refused === null)) return "";
  const facts = [
    ...(cost.closed === null ? [] : [`${count(cost.closed, "connection")} closed`]),
    ...(cost.refused === null ? [] : [`${count(cost.refused, "connection")} refused`]),
  ];
  return `restarted ${count(cost.instances, "instance")} on ${count(cost.hosts, "host")}: ${facts.join(", ")}`;
}

/** The state of a deploy. */
export function stateSign({ state }: Pick<DeployRecord, "state">): Sign {
  switch (state) {
    case "preparing":
      return { glyph: "↓", word: state, tone: "busy" };
    case "canary":
      return { glyph: "↻", word: "on canary hosts", tone: "busy" };
    case "awaiting promotion":
      return { glyph: "◆", word: state, tone: "warn" };
    case "rolling":
      return { glyph: "↻", word: state, tone: "busy" };
    case "paused":
      return { glyph: "‖", word: state, tone: "warn" };
    case "done":
      return { glyph: "✓", word: state, tone: "good" };
    case "halted":
    case "aborted":
      return { glyph: "✗", word: state, tone: "bad" };
    case "rolling back":
    case "rolled back":
      return { glyph: "↺", word: state, tone: "warn" };
  }
}

/** "web-02 failed in check of 9b1e0d4, healthy again: its check failed" */
export function failureText({ host, build, step, reason, healthy }: HostFailure): string {
  const where = step === "" ? `with ${build}` : `in ${step} of ${build}`;
  return `${oneLine(host)} failed ${where}${healthy ? ", healthy again" : ""}: ${oneLine(reason)}`;
}

/** Hosts that serve the build and are unhealthy: a deploy of the build that they already served has not restarted them. */
export function illnessTexts({ live, statuses }: DeployView): string[] {
  return (live?.progress.serving ?? []).flatMap((host) => {
    const ill = illnessText(statuses.get(host) ?? null);
    return ill === "" ? [] : [`${oneLine(host)} is ${ill}`];
  });
}

/** Warnings of hosts although the deploy went well: each warning once, with the hosts that it is from. */
export function warningTexts({ live, statuses }: DeployView): string[] {
  const warned = new Map<string, string[]>();
  for (const host of live?.progress.serving ?? []) {
    const warning = statuses.get(host)?.warning;
    if (warning !== undefined) warned.set(warning, [...(warned.get(warning) ?? []), host]);
  }
  return [...warned].map(([warning, hosts]) => {
    const [first = ""] = hosts;
    const more = hosts.length > 1 ? ` and ${count(hosts.length - 1, "more host")}` : "";
    return `${oneLine(first)}${more}: ${oneLine(warning)}`;
  });
}

/** "web-03 (install, 2m 10s), web-04 (not connected) and 7 more" */
export function waitingText(waiting: readonly Waiting[], max = 4): string {
  if (waiting.length === 0) return "the conductor";
  const names = waiting.map(({ host, doing, forMs }) =>
    forMs === null ? `${oneLine(host)} (${doing})` : `${oneLine(host)} (${doing}, ${duration(forMs)})`,
  );
  return someOf(names, max);
}

/** What a person can do now; empty if there is nothing to decide. */
export function nextSteps({ service, record, barred }: Pick<DeployView, "service" | "record" | "barred">): string[] {
  const { line, to } = wayBackFrom(service, record, barred);
  const back = to.kind === "build" ? `Back to ${to.build}` : to.kind === "end" ? "End it" : "Deploy another build";
  switch (record.state) {
    case "halted":
    case "paused": {
      const on = goOnFrom(service, record, barred);
      return [...(on === null ? [] : [`Go on: ${on}`]), `${back}: ${line}`];
    }
    case "aborted":
      return [`${back}: ${line}`];
    case "awaiting promotion": {
      const on = promotionOf(service, record, barred);
      const to = isBeforeLastStage(record) ? "the fleet" : stageAfter(record);
      return [...(on === null ? [] : [`On to ${to}: ${on}`]), `${back}: ${line}`];
    }
    default:
      return [];
  }
}
