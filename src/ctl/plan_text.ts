import type { AddedBuild } from "../core/builds_between.ts";
import { plannedMs } from "../core/plan_time.ts";
import type { PlannedStage } from "../core/rollout_plan.ts";
import { stageText } from "../core/stages.ts";
import type { PlannedDeploy } from "../store/plan_deploy.ts";
import {
  betweenText,
  blockedTexts,
  dependsOnId,
  heldBackTexts,
  specialTexts,
  timeText,
  waitText,
  wavesText,
  wouldChange,
} from "../view/plan.ts";
import { dateTime } from "../view/times.ts";
import { count, oneLine, someOf } from "../view/words.ts";
import type { Paint } from "../cli/paint.ts";
import { table } from "../cli/table.ts";
import { wrap } from "../cli/text.ts";
import { limitsFields } from "./service_text.ts";

/** Builds and hosts that are listed for people; everything is in the JSON. */
const MOST_BUILDS = 10;
const MOST_HOSTS = 12;

/** A plan for people. @param columns texts are wrapped to so many */
export function planLines(plan: PlannedDeploy, paint: Paint, columns: number): string[] {
  const { request, rollout, refusals, existing, between, served, hosts, statuses, heldBack } = plan;
  const { service, build, id } = request;
  const fit = (text: string): string[] => wrap(text, columns, "    ");
  const fact = (text: string): string[] => wrap(text, columns, "        ");
  const warn = (text: string): string[] => fit(`! ${text}`).map(paint.warn);
  const stages = count(rollout.stages.length, "stage");
  const what = wouldChange(rollout)
    ? `${rollout.changing.length} of ${count(hosts.size, "host")} would change, in ${stages}`
    : `none of ${count(hosts.size, "host")} would change`;
  return [
    ...fit(`${paint.bold(`${service} ${build}`)}: ${what}. This is a plan; nothing was changed.`),
    ...(existing === null
      ? []
      : warn(`deploy ${id} is there already and is ${existing.state}: nothing would be started`)),
    ...refusals.flatMap(({ message, hint }) => [
      ...fit(`✗ ${oneLine(message)}`).map(paint.bad),
      ...(hint === "" ? [] : wrap(`    ${oneLine(hint)}`, columns, "    ")),
    ]),
    ...overtakenLines(plan).flatMap(warn),
    ...[
      ...specialTexts(rollout.special, hosts, statuses),
      ...blockedTexts(rollout),
      ...heldBackTexts(rollout, heldBack),
      ...plan.problems.map(oneLine),
    ].flatMap(warn),
    "",
    ...table([["STAGE", "HOSTS", "RESTARTS", "THEN"].map(paint.dim), ...rollout.stages.map(stageCells)]),
    ...orderLines(rollout.stages).flatMap((line) => wrap(line, columns, "      ")),
    "",
    ...fact(`time    ${timeText(rollout, plan.basis)}`),
    ...fact(`limits  ${limitsText(plan)}`),
    ...fact(`back    ${backText(plan)}`),
    ...fact(`builds  ${betweenText(between, served, build)}`),
    ...buildLines(between.builds),
    ...(refusals.length > 0 || existing !== null ? [] : ["", ...startLines(plan)]),
  ];
}

function stageCells(stage: PlannedStage): string[] {
  return [stage.stage, String(stage.hosts.length), wavesText(stage), waitText(stage)];
}

/** The hosts in the order in which they would go, as far as they fit. */
function orderLines(stages: readonly PlannedStage[]): string[] {
  return stages.flatMap(({ stage, waves }) => {
    if (waves.length === 0) return [];
    const names: string[] = [];
    let left = MOST_HOSTS;
    for (const wave of waves) {
      if (left <= 0) break;
      names.push(someOf(wave.map(oneLine), left));
      left -= wave.length;
    }
    const rest = waves.length - names.length;
    return [`  ${stage}: ${names.join(" | ")}${rest > 0 ? ` | and ${count(rest, "wave")} more` : ""}`];
  });
}

function limitsText({ record, rollout }: PlannedDeploy): string {
  const { max, budget, perZone } = rollout.limits;
  const zones = Object.keys(rollout.base.zones).toSorted();
  const inZones = perZone === null ? "" : `, ${zones.map((zone) => `${perZone(zone)} in ${zone}`).join(", ")}`;
  return `at most ${count(max, "host")} out of service at once${inZones}; halts when more than ${budget} failed (${record.onHalt})`;
}

function backText({ back, record }: PlannedDeploy): string {
  if (back === null) return "nothing was served before it: a rollback would only end it";
  const barred = back.isBarred ? ", which is barred or removed, so that a rollback would be refused" : "";
  return `a rollback would go back to ${back.build}${barred}${record.onHalt === "rollback" ? ", by itself where it halts" : ""}`;
}

function overtakenLines({ overtaken }: PlannedDeploy): string[] {
  if (overtaken === null) return [];
  const { build, who, state } = overtaken.record;
  return [`it would end deploy ${overtaken.id} of ${build} by ${oneLine(who)}, which is ${state}`];
}

function buildLines(builds: readonly AddedBuild[]): string[] {
  const shown = builds.slice(-MOST_BUILDS).toReversed();
  const lines = table(
    shown.map(({ id, record: { commit, author, time } }) => [
      id,
      oneLine(commit ?? "-"),
      oneLine(author ?? "-"),
      dateTime(time),
    ]),
    { indent: "        " },
  );
  return builds.length > shown.length ? [...lines, `        and ${builds.length - shown.length} before`] : lines;
}

function startLines({ request: { service, build, id }, record }: PlannedDeploy): string[] {
  const same = "with the same flags";
  return dependsOnId(record)
    ? [`Do exactly this, ${same}: deployd ctl deploy ${service} ${build} --id ${id}`]
    : [`Do it, ${same}: deployd ctl deploy ${service} ${build}`];
}

/** A plan in JSON: `deployd.ctl.plan/1`. Times are seconds. */
export function planDocument(plan: PlannedDeploy) {
  const { request, record, rollout, refusals, existing, overtaken, basis, served, back, between } = plan;
  return {
    schema: "deployd.ctl.plan/1",
    service: request.service,
    build: request.build,
    deploy: request.id,
    changes: wouldChange(rollout),
    refusals: refusals.map(({ code, message, hint }) => ({ code, message, hint })),
    existing: existing === null ? null : { state: existing.state, build: existing.build },
    overtakes:
      overtaken === null
        ? null
        : { id: overtaken.id, build: overtaken.record.build, who: overtaken.record.who, state: overtaken.record.state },
    stages: rollout.stages.map((stage, at) => ({
      stage: stage.stage,
      hosts: stage.hosts,
      waves: stage.waves,
      more_hosts: stage.uncounted,
      more_waves: stage.moreWaves,
      at_once: stage.atOnce,
      blocked: stage.blocked,
      wait: stage.wait === "promote" ? "promote" : null,
      wait_s: typeof stage.wait === "number" ? stage.wait / 1000 : null,
      soak_s: stage.soakMs / 1000,
      is_last: at === rollout.stages.length - 1,
    })),
    serving: rollout.serving,
    changing: rollout.changing,
    special: rollout.special.map(({ host, is }) => ({ host, is })),
    limits: limitsFields(record.limits),
    allowed: {
      max: rollout.limits.max,
      budget: rollout.limits.budget,
      per_zone: perZoneFields(plan),
    },
    on_halt: record.onHalt,
    duration_s: basis === null ? null : Math.round(plannedMs(rollout, basis) / 100) / 10,
    basis:
      basis === null ? null : { host_s: basis.hostMs / 1000, deploy: basis.deploy, hosts: basis.hosts, as: basis.as },
    waits: heldBackTexts(rollout, plan.heldBack),
    served,
    back: back === null ? null : { build: back.build, barred: back.isBarred },
    between: {
      direction: between.direction,
      builds: between.builds.map(({ id, record: { commit, author, time } }) => ({
        build: id,
        commit: commit ?? null,
        author: author ?? null,
        time,
      })),
    },
    as_typed: record.stages.map(stageText),
    problems: plan.problems,
  };
}

function perZoneFields({ rollout: { limits, base } }: PlannedDeploy): Record<string, number> | null {
  const { perZone } = limits;
  if (perZone === null) return null;
  return Object.fromEntries(Object.keys(base.zones).map((zone) => [zone, perZone(zone)]));
}
