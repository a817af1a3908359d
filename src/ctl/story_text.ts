import { buildWanted, isOnCanaries, reasonOf } from "../core/deploy_state.ts";
import type { DeployRecord } from "../schema/deploy_record.ts";
import type { DeployView } from "../view/deploy.ts";
import { costText, nextSteps, progressText, servingText } from "../view/deploy_words.ts";
import { allowedIn, amountWithCount } from "../view/limit_words.ts";
import type { News, Said } from "../view/story.ts";
import { clockTime, duration } from "../view/times.ts";
import { count, oneLine } from "../view/words.ts";
import { failureLines, illnessLines, stateText, warningLines } from "./deploy_text.ts";
import type { Paint } from "../cli/paint.ts";

/** The lines for these news; the first line of each begins with the time of day, in UTC. */
export function newsLines(news: readonly News[], at: Date, paint: Paint): string[] {
  return news
    .map((each) => linesOf(each, paint))
    .flatMap(([first = "", ...rest]) => [
      `${paint.dim(clockTime(at))}  ${first}`,
      ...rest.map((line) => `          ${line}`),
    ]);
}

function linesOf(news: News, paint: Paint): string[] {
  switch (news.kind) {
    case "first seen":
      return [firstSeenText(news.view, paint)];
    case "turned back":
      return [paint.warn(turnedBackText(news.view))];
    case "next stage":
      return [`${paint.busy(`↻ on to ${news.to}`)}${news.who === null ? "" : `, by ${oneLine(news.who)}`}`];
    case "resumed":
      return [`${paint.busy("↻ it goes on")}, by ${oneLine(news.who)}`];
    case "connected":
      return [`· ${oneLine(news.host)} is connected`];
    case "disconnected":
      return [paint.warn(`? ${oneLine(news.host)} is not connected any more`)];
    case "serves":
      return [`${paint.good(`✓ ${oneLine(news.host)} serves ${news.build}`)} (${news.nth} of ${news.of})`];
    case "restarts":
      return [paint.busy(`↻ ${oneLine(news.host)} restarts into ${news.build}`)];
    case "goes back":
      return [paint.warn(`↺ ${oneLine(news.host)} failed and goes back by itself`)];
    case "in trouble": {
      const end = news.until === undefined ? "" : ` until ${clockTime(new Date(news.until))}`;
      const what = `tries again to ${news.step} ${news.build}${end}`;
      return [paint.warn(`! ${oneLine(news.host)} ${what}: ${saidText(news.said)}`)];
    }
    case "failed": {
      const reason = news.said === null ? "as said above" : saidText(news.said);
      return failureLines({ ...news.failure, reason }, paint);
    }
    case "prepared":
      return [`· ${news.build} is prepared on ${count(news.hosts, "host")}`];
    case "progress":
      return [paint.bold(`  ${progressText(news.view)}`)];
    case "outcome":
      return outcomeLines(news, paint);
  }
}

function stageWords(record: DeployRecord): string {
  return isOnCanaries(record) ? "on the canary hosts" : `on ${record.stages[record.stage]?.hosts ?? "its hosts"}`;
}

function saidText(said: Said): string {
  return "as" in said ? `the same as ${oneLine(said.as)}` : oneLine(said.text);
}

function firstSeenText({ service, id, record, live }: DeployView, paint: Paint): string {
  const from = record.previous === null ? "" : ` after ${record.previous}`;
  const hosts =
    live === null ? "" : ` on ${count(live.progress.hosts.length, isOnCanaries(record) ? "canary host" : "host")}`;
  const why = record.why === "" ? "" : ` (${oneLine(record.why)})`;
  const { word } = stateText(record, paint);
  return `${paint.bold(`${service} ${record.build}`)}${from}${hosts}, deploy ${id} by ${oneLine(record.who)}${why}: ${word}`;
}

function turnedBackText({ record }: DeployView): string {
  const why = reasonOf(record) === "" ? "" : `: ${oneLine(reasonOf(record))}`;
  const who = record.state === "rolling back" ? `, by ${oneLine(record.rollback.who)}` : "";
  return `↺ rolling back to ${buildWanted(record)}${who}${why}`;
}

function outcomeLines(news: Extract<News, { kind: "outcome" }>, paint: Paint): string[] {
  const { outcome, view, failures } = news;
  const { record } = view;
  const took = duration(news.tookMs);
  const reason = oneLine(reasonOf(record));
  const cost = [costText(view)].filter((text) => text !== "");
  const steps = nextSteps(view);
  const warnings = [...illnessLines(view, paint), ...warningLines(view, paint)];
  switch (outcome.kind) {
    case "done":
      return [paint.good(`✓ done after ${took}: ${servingText(view)}`), ...cost, ...warnings];
    case "awaiting-promotion":
      return [
        paint.good(`◆ healthy ${stageWords(record)} after ${took}: ${servingText(view)}`),
        ...cost,
        ...warnings,
        ...steps,
      ];
    case "halted": {
      // The failure that the reason names is already shown above.
      const isTold = failures.some((failure) => reason.includes(oneLine(failure.host)));
      const budget = amountWithCount(record.limits.budget, allowedIn(view).budget);
      const counted = `${count(failures.length, "host")} failed, and the budget is ${budget}`;
      return [paint.bad(`✗ halted after ${took}: ${isTold ? counted : reason}`), ...cost, ...steps];
    }
    case "paused":
      return [paint.warn(`‖ ${reason}`), ...steps];
    case "rolled-back": {
      const why = reason === "" ? "" : ` (${reason})`;
      return [paint.warn(`↺ rolled back after ${took}${why}: ${servingText(view)}`), ...warnings];
    }
    case "aborted":
      return [paint.bad(`✗ aborted after ${took}: ${reason}`), ...steps];
    case "held":
      return [
        paint.bad(
          `✗ ${count(outcome.hosts.length, "host")} hold the wish for ${record.build}: it is older than what they have followed`,
        ),
        `follow it:  deployd ctl services accept ${view.service}`,
      ];
    case "overtaken":
      return [paint.bad("✗ a newer deploy has taken its hosts over before it was done")];
  }
}
