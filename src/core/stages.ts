import type { HostRecord } from "../schema/znodes.ts";
import {
  isEveryHost,
  percentOf,
  stageHostsProblem,
  stagesProblem,
  zoneOf,
  type Reach,
  type Stage,
  type StageHosts,
} from "../schema/stages.ts";
import { durationText, parseDuration } from "./duration.ts";
import { shareOf, thresholdFor } from "./host_share.ts";

/** Where nobody says otherwise, a person looks at the canary hosts, and the other stages follow each other at once. */
function defaultWait(hosts: StageHosts): Stage["wait"] {
  return hosts === "canary" ? "promote" : 0;
}

/**
 * Stages as they are typed: `canary,zone:a,10%/5m,50%/promote`, each with what it waits for before the next, if that is
 * not what `defaultWait` says. The last, 100%, may be left out.
 *
 * @throws Error saying which stage is wrong and why, for a flag's parser (cli/flags.ts)
 */
export function parseStages(text: string): Stage[] {
  const stages = text.split(",").map((stage) => parseStage(stage.trim()));
  const last = stages.at(-1);
  if (last !== undefined && !isEveryHost(last.hosts)) stages.push({ hosts: "100%", wait: 0 });
  const wrong = stagesProblem(stages);
  if (wrong !== null) throw new Error(wrong.problem);
  return stages;
}

function parseStage(text: string): Stage {
  const slash = text.indexOf("/");
  const hosts = slash < 0 ? text : text.slice(0, slash);
  const problem = stageHostsProblem(hosts);
  if (problem !== null) throw new Error(`"${text}" is no stage: ${problem}`);
  const wait = slash < 0 ? defaultWait(hosts as StageHosts) : parseWait(text.slice(slash + 1));
  if (wait === null)
    throw new Error(`"${text}" is no stage: a time as in 30s or 5m, or promote, is required after the /`);
  return { hosts: hosts as StageHosts, wait };
}

function parseWait(text: string): Stage["wait"] | null {
  return text === "promote" ? text : parseDuration(text);
}

/** The stages as `parseStages` reads them. */
export function stagesText(stages: readonly Stage[]): string {
  return stages.map(stageText).join(",");
}

/** `canary`, `zone:a`, `10%/5m`, `50%/promote` */
export function stageText({ hosts, wait }: Stage): string {
  if (wait === defaultWait(hosts)) return hosts;
  return `${hosts}/${wait === "promote" ? wait : durationText(wait)}`;
}

/** The stages of a deploy for which nobody has named any. */
export const toEverybody: readonly Stage[] = [{ hosts: "100%", wait: 0 }];

/** The stages of a deploy that goes to the canary hosts first, and to everybody when a person promotes it. */
export const canariesFirst: readonly Stage[] = [{ hosts: "canary", wait: "promote" }, ...toEverybody];

/** What a deploy has reached before its first stage. */
export const nothingReached: Reach = { zones: [], below: 0 };

/**
 * What the deploy has reached with the stage at `index`, all stages before it included. A percentage is of all hosts of
 * the service that are no canary hosts, those of zones that were reached already among them.
 *
 * Whoever was reached stays so: where hosts have left or changed their role meanwhile, the same percentage would come to a
 * lower threshold, and the one before is kept.
 *
 * @param hosts all hosts of the service; canary hosts, who follow a wish of their own, do not count
 * @param before what the same deploy had reached when this was computed last
 */
export function reachAfter(
  stages: readonly Stage[],
  index: number,
  deploy: string,
  hosts: ReadonlyMap<string, Pick<HostRecord, "role">>,
  before: Reach = nothingReached,
): Reach {
  const reached = stages.slice(0, index + 1).map((stage) => stage.hosts);
  const zones = reached.flatMap((hosts) => zoneOf(hosts) ?? []);
  // Percentages rise, so that the last has the others in it.
  const percent = reached.map(percentOf).findLast((percent) => percent !== null) ?? "0%";
  const fleet = [...hosts].flatMap(([host, { role }]) => (role === "fleet" ? [host] : []));
  const below = thresholdFor(deploy, fleet, percent);
  return { ...before, zones: [...new Set([...before.zones, ...zones])], below: Math.max(before.below, below) };
}

/** Whether a host that is no canary host takes the deploy's build. */
export function reaches({ zones, below }: Reach, deploy: string, host: string, zone: string | undefined): boolean {
  // Every share is less than 1, and a fleet has thousands of hosts.
  return below >= 1 || (zone !== undefined && zones.includes(zone)) || shareOf(deploy, host) < below;
}
