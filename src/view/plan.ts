import type { BuildsBetween } from "../core/builds_between.ts";
import type { HeldBack } from "../core/between_services.ts";
import { durationText } from "../core/duration.ts";
import { plannedMs, type TimeBasis } from "../core/plan_time.ts";
import type { PlannedStage, RolloutPlan, SpecialHost } from "../core/rollout_plan.ts";
import type { DeployRecord } from "../schema/deploy_record.ts";
import { percentOf, isEveryHost } from "../schema/stages.ts";
import type { HostRecord, HostStatus } from "../schema/znodes.ts";
import { illnessText } from "./host.ts";
import { duration } from "./times.ts";
import { count, oneLine, someOf } from "./words.ts";

/** How many hosts a sentence names. */
const MOST_NAMED = 8;

/** Whether the deploy would bring any host to another build, or restart it. */
export function wouldChange({ changing }: RolloutPlan): boolean {
  return changing.length > 0;
}

/** "2 hosts, one after the other", "12 hosts in 4 waves, at most 3 at once", "nobody" */
export function wavesText({ waves, uncounted, moreWaves, atOnce }: PlannedStage): string {
  const hosts = waves.reduce((sum, wave) => sum + wave.length, uncounted);
  if (hosts === 0) return "none would change";
  const all = waves.length + moreWaves;
  if (hosts === 1) return "1 host";
  if (all === 1) return `${hosts} hosts at once`;
  const how = atOnce === 1 ? "one after the other" : `at most ${atOnce} at once`;
  return `${hosts} hosts in ${moreWaves > 0 ? "at least " : ""}${count(all, "wave")}, ${how}`;
}

/** "a person promotes it", "5m pass", "" */
export function waitText({ wait }: Pick<PlannedStage, "wait">): string {
  if (wait === null) return "";
  if (wait === "promote") return "until a person promotes it";
  return wait === 0 ? "at once" : `after ${durationText(wait)}`;
}

/** How long it would take, and by what that is told. */
export function timeText(rollout: RolloutPlan, basis: TimeBasis | null): string {
  if (!wouldChange(rollout)) return "no time: nothing would change";
  if (basis === null) return "no basis yet: no deploy on record was done and says what its restarts took";
  const { hostMs, deploy, hosts, as } = basis;
  const { stages } = rollout;
  const soakMs = Math.max(0, ...stages.map((stage) => stage.soakMs));
  const waitMs = stages.reduce((sum, { wait }) => sum + (typeof wait === "number" ? wait : 0), 0);
  const person = stages.some(({ wait }) => wait === "promote") ? ", and without what a person takes" : "";
  const parts = [
    `${(hostMs / 1000).toFixed(1)} s a wave (${as} of ${count(hosts, "host")} in deploy ${deploy})`,
    ...(soakMs === 0 ? [] : [`${durationText(soakMs)} of soak`]),
    ...(waitMs === 0 ? [] : [`${durationText(waitMs)} between stages`]),
  ];
  return `about ${duration(plannedMs(rollout, basis))}: ${parts.join(", ")}; without fetch and install${person}`;
}

/** What the hosts that cannot simply be brought to it mean for it, one sentence for each kind. */
export function specialTexts(
  special: readonly SpecialHost[],
  hosts: ReadonlyMap<string, HostRecord>,
  statuses: ReadonlyMap<string, HostStatus>,
): string[] {
  const named = (is: SpecialHost["is"], more: (host: string) => string): [string, boolean] => {
    const found = special.filter((each) => each.is === is).map(({ host }) => oneLine(host) + more(host));
    return [someOf(found, MOST_NAMED), found.length > 1];
  };
  const [away, isAwayMany] = named("unreachable", () => "");
  const [held, isHeldMany] = named("held", (host) => ` (by ${oneLine(hosts.get(host)?.hold?.who ?? "somebody")})`);
  const [ill, isIllMany] = named("unhealthy", (host) => {
    const why = oneLine(illnessText(statuses.get(host) ?? null).replace(/^unhealthy:? ?/, ""));
    return why === "" ? "" : ` (${why})`;
  });
  return [
    ...(away === ""
      ? []
      : [`${away} ${isAwayMany ? "are" : "is"} unreachable: not waited for, and brought to it when back`]),
    ...(held === ""
      ? []
      : [`${held} ${isHeldMany ? "are" : "is"} held: taken when released, and out of service until then`]),
    ...(ill === ""
      ? []
      : [`${ill} ${isIllMany ? "are" : "is"} unhealthy: out of service already, so that fewer others go at once`]),
  ];
}

/** What a service that has rules with others would have to wait for, as things stand. */
export function heldBackTexts({ stages }: RolloutPlan, heldBack: HeldBack): string[] {
  if (heldBack.service !== null) return [`it would not begin yet: it ${heldBack.service}`];
  const hosts = stages.flatMap(({ waves }) => waves.flat());
  const waiting = hosts.flatMap((host) => {
    const why = heldBack.host(host);
    return why === null ? [] : [`${oneLine(host)} ${why}`];
  });
  return waiting.length === 0 ? [] : [someOf(waiting, 3)];
}

/** Hosts that would get no slot as things stand. */
export function blockedTexts({ stages, limits }: RolloutPlan): string[] {
  const blocked = stages.flatMap((stage) => stage.blocked);
  if (blocked.length === 0) return [];
  const names = someOf(blocked.map(oneLine), MOST_NAMED);
  return [`${names} would get no slot: hosts that are held or ill take up all of max ${limits.max}, or of their zone`];
}

/** Whether the hosts of its stages depend on the id of the deploy. */
export function dependsOnId({ stages }: Pick<DeployRecord, "stages">): boolean {
  return stages.some(({ hosts }) => percentOf(hosts) !== null && !isEveryHost(hosts));
}

/** What lies between what is served and the new build, in words. */
export function betweenText({ direction, builds }: BuildsBetween, served: string | null, build: string): string {
  if (served === null) return "nothing is served yet";
  switch (direction) {
    case "same":
      return `${build} is served already`;
    case "forward":
      return `${count(builds.length, "build")} after ${served}, which is served`;
    case "back":
      return `back from ${served}, which is served; ${count(builds.length, "build")} would be undone`;
    case null:
      return `${served} is served; what lies between is not on record`;
  }
}
