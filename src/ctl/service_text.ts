import { durationText } from "../core/duration.ts";
import { amountText } from "../core/limits.ts";
import { stagesText } from "../core/stages.ts";
import type { Amount, Limits } from "../schema/limits.ts";
import type { ServiceSettings } from "../schema/znodes.ts";
import { frozenText } from "../view/status.ts";
import { someOf } from "../view/words.ts";

/** Limits in JSON, as they were typed. */
export function limitsFields({ max, maxPerZone, budget, soakMs, firstZoneSoakMs, progressMs }: Limits) {
  return {
    max,
    ...(maxPerZone === undefined ? {} : { max_per_zone: maxPerZone }),
    budget,
    soak_s: soakMs / 1000,
    ...(firstZoneSoakMs === undefined ? {} : { first_zone_soak_s: firstZoneSoakMs / 1000 }),
    ...(progressMs === undefined ? {} : { progress_s: progressMs / 1000 }),
  };
}

export function settingsFields(settings: ServiceSettings) {
  const { stages, onHalt, windows = [], freeze, between = {}, notify = [] } = settings;
  const { after = [], notWhile = [], exclusive = false } = between;
  return {
    ...limitsFields(settings),
    ...(stages === undefined ? {} : { stages: stagesText(stages) }),
    on_halt: onHalt,
    windows,
    after,
    not_while: notWhile,
    exclusive,
    notify,
    freeze: freeze ?? null,
  };
}

export function serviceDocument(service: string, settings: ServiceSettings) {
  return { schema: "deployd.ctl.service/1", service, settings: settingsFields(settings) };
}

/** "3 hosts", "10% of the hosts" */
function hostsText(amount: Amount): string {
  if (typeof amount === "number") return `${amount} ${amount === 1 ? "host" : "hosts"}`;
  return amount.includes(",") ? `${amountText(amount)}, of the hosts` : `${amount} of the hosts`;
}

/** What keeps a service's deploys back beside its limits, in a few words: "2 windows, after db, exclusive, frozen". */
export function rulesText({ windows = [], freeze, between = {} }: ServiceSettings): string {
  const { after = [], notWhile = [], exclusive = false } = between;
  const told = [
    ...(freeze === undefined ? [] : ["frozen"]),
    ...(windows.length === 0 ? [] : [windows.length === 1 ? (windows[0] ?? "") : `${windows.length} windows`]),
    ...(after.length === 0 ? [] : [`after ${someOf(after, 3)}`]),
    ...(notWhile.length === 0 ? [] : [`not while ${someOf(notWhile, 3)}`]),
    ...(exclusive ? ["exclusive"] : []),
  ];
  return told.length === 0 ? "-" : told.join(", ");
}

export function serviceLines(service: string, settings: ServiceSettings): string[] {
  const { max, maxPerZone, budget, soakMs, firstZoneSoakMs, progressMs, stages, onHalt } = settings;
  const { windows = [], freeze, between = {}, notify = [] } = settings;
  const { after = [], notWhile = [], exclusive = false } = between;
  const lines = [
    `max ${amountText(max)} (${hostsText(max)} may be out of service at once)`,
    ...(maxPerZone === undefined
      ? []
      : [`max per zone ${amountText(maxPerZone)} (${hostsText(maxPerZone)} of each zone)`]),
    `budget ${amountText(budget)} (the deploy halts when ${budget === 0 ? "any host fails" : `more than ${hostsText(budget)} failed`})`,
    `soak ${soakMs / 1000}s`,
    ...(firstZoneSoakMs === undefined ? [] : [`soak in the first zone ${firstZoneSoakMs / 1000}s`]),
    ...(progressMs === undefined
      ? []
      : [`progress deadline ${durationText(progressMs)} (the deploy halts when no host moves for so long)`]),
    ...(stages === undefined ? [] : [`stages ${stagesText(stages)}`]),
    ...(onHalt === "ask" ? [] : [`on halt ${onHalt}`]),
    ...(windows.length === 0 ? [] : [`windows ${windows.join("; ")} (no deploy starts outside of them)`]),
    ...(after.length === 0 ? [] : [`after ${after.join(", ")} (it waits while one of them has a deploy under way)`]),
    ...(notWhile.length === 0
      ? []
      : [`not while ${notWhile.join(", ")} (no host goes while a deploy of one of them is at its hosts)`]),
    ...(exclusive ? ["exclusive (no host is out of service for it and for another service at once)"] : []),
    ...(notify.length === 0 ? [] : [`notify ${notify.join(", ")} (told by whoever conducts)`]),
    ...(freeze === undefined ? [] : [frozenText(freeze)]),
  ];
  return lines.map((line, at) => `${at === 0 ? `${service}:` : " ".repeat(service.length + 1)} ${line}`);
}
