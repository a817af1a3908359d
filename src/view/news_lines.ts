import { buildWanted, isOnCanaries, reasonOf } from "../core/deploy_state.ts";
import type { DeployRecord } from "../schema/deploy_record.ts";
import type { DeployView } from "./deploy.ts";
import { failureLines, illnessLines, warningLines } from "./deploy_lines.ts";
import { costText, nextSteps, progressText, servingText, stateSign } from "./deploy_words.ts";
import { allowedIn, amountWithCount } from "./limit_words.ts";
import { span, strong, type SpanLine } from "./spans.ts";
import type { News, Said } from "./story.ts";
import { clockTime, duration } from "./times.ts";
import { count, oneLine } from "./words.ts";

/** The lines for one piece of news: what happened, and what there is to say about it. */
export function newsLines(news: News): SpanLine[] {
  switch (news.kind) {
    case "first seen":
      return [firstSeenLine(news.view)];
    case "turned back":
      return [[span(turnedBackText(news.view), "warn")]];
    case "next stage":
      return [[span(`↻ on to ${news.to}`, "busy"), span(news.who === null ? "" : `, by ${oneLine(news.who)}`)]];
    case "resumed":
      return [[span("↻ it goes on", "busy"), span(`, by ${oneLine(news.who)}`)]];
    case "connected":
      return [[span(`· ${oneLine(news.host)} is connected`)]];
    case "disconnected":
      return [[span(`? ${oneLine(news.host)} is not connected any more`, "warn")]];
    case "serves":
      return [[span(`✓ ${oneLine(news.host)} serves ${news.build}`, "good"), span(` (${news.nth} of ${news.of})`)]];
    case "restarts":
      return [[span(`↻ ${oneLine(news.host)} restarts into ${news.build}`, "busy")]];
    case "goes back":
      return [[span(`↺ ${oneLine(news.host)} failed and goes back by itself`, "warn")]];
    case "in trouble": {
      const end = news.until === undefined ? "" : ` until ${clockTime(new Date(news.until))}`;
      const what = `tries again to ${news.step} ${news.build}${end}`;
      return [[span(`! ${oneLine(news.host)} ${what}: ${saidText(news.said)}`, "warn")]];
    }
    case "failed": {
      const reason = news.said === null ? "as said above" : saidText(news.said);
      return failureLines({ ...news.failure, reason });
    }
    case "prepared":
      return [[span(`· ${news.build} is prepared on ${count(news.hosts, "host")}`)]];
    case "progress":
      return [[strong(`  ${progressText(news.view)}`)]];
    case "outcome":
      return outcomeLines(news);
  }
}

function stageWords(record: DeployRecord): string {
  return isOnCanaries(record) ? "on the canary hosts" : `on ${record.stages[record.stage]?.hosts ?? "its hosts"}`;
}

function saidText(said: Said): string {
  return "as" in said ? `the same as ${oneLine(said.as)}` : oneLine(said.text);
}

function firstSeenLine({ service, id, record, live }: DeployView): SpanLine {
  const from = record.previous === null ? "" : ` after ${record.previous}`;
  const hosts =
    live === null ? "" : ` on ${count(live.progress.hosts.length, isOnCanaries(record) ? "canary host" : "host")}`;
  const why = record.why === "" ? "" : ` (${oneLine(record.why)})`;
  const { word, tone } = stateSign(record);
  const rest = `${from}${hosts}, deploy ${id} by ${oneLine(record.who)}${why}: `;
  return [strong(`${service} ${record.build}`), span(rest), span(word, tone)];
}

function turnedBackText({ record }: DeployView): string {
  const why = reasonOf(record) === "" ? "" : `: ${oneLine(reasonOf(record))}`;
  const who = record.state === "rolling back" ? `, by ${oneLine(record.rollback.who)}` : "";
  return `↺ rolling back to ${buildWanted(record)}${who}${why}`;
}

function outcomeLines(news: Extract<News, { kind: "outcome" }>): SpanLine[] {
  const { outcome, view, failures } = news;
  const { record } = view;
  const took = duration(news.tookMs);
  const reason = oneLine(reasonOf(record));
  const cost = [costText(view)].filter((text) => text !== "").map((text) => [span(text)]);
  const steps = nextSteps(view).map((text) => [span(text)]);
  const warnings = [...illnessLines(view), ...warningLines(view)];
  switch (outcome.kind) {
    case "done":
      return [[span(`✓ done after ${took}: ${servingText(view)}`, "good")], ...cost, ...warnings];
    case "awaiting-promotion":
      return [
        [span(`◆ healthy ${stageWords(record)} after ${took}: ${servingText(view)}`, "good")],
        ...cost,
        ...warnings,
        ...steps,
      ];
    case "halted": {
      // The failure that the reason names is already shown above.
      const isTold = failures.some((failure) => reason.includes(oneLine(failure.host)));
      const budget = amountWithCount(record.limits.budget, allowedIn(view).budget);
      const counted = `${count(failures.length, "host")} failed, and the budget is ${budget}`;
      return [[span(`✗ halted after ${took}: ${isTold ? counted : reason}`, "bad")], ...cost, ...steps];
    }
    case "paused":
      return [[span(`‖ ${reason}`, "warn")], ...steps];
    case "rolled-back": {
      const why = reason === "" ? "" : ` (${reason})`;
      return [[span(`↺ rolled back after ${took}${why}: ${servingText(view)}`, "warn")], ...warnings];
    }
    case "aborted":
      return [[span(`✗ aborted after ${took}: ${reason}`, "bad")], ...steps];
    case "held":
      return [
        [
          span(
            `✗ ${count(outcome.hosts.length, "host")} hold the wish for ${record.build}: it is older than what they have followed`,
            "bad",
          ),
        ],
        [span(`follow it:  deployd ctl services accept ${view.service}`)],
      ];
    case "overtaken":
      return [[span("✗ a newer deploy has taken its hosts over before it was done", "bad")]];
  }
}
