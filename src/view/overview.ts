import { isOnCanaries, isRunning } from "../core/deploy_state.ts";
import { nothingHeldBack, type HeldBack } from "../core/between_services.ts";
import type { DeployError } from "../core/errors.ts";
import type { ConductedDeploy, Unreadable } from "../core/conducted.ts";
import type { Gate, OutHosts } from "../core/gate.ts";
import { grantsWithheld } from "../core/grants.ts";
import { progressOf, type Progress } from "../core/progress.ts";
import type { Wishes } from "../core/targets.ts";
import type { DeployRecord } from "../schema/deploy_record.ts";
import {
  serviceSettingsSchema,
  type AgentRecord,
  type BuildRecord,
  type HostRecord,
  type HostStatus,
  type ServiceSettings,
} from "../schema/znodes.ts";
import { whyItWaits } from "./waits.ts";
import { heldProblem, wishTroubleOf, type WishTrouble } from "./wish_trouble.ts";
import { someOf } from "./words.ts";

/** The records of a service from which an overview is made; a `ServiceMirror` has them. */
export interface ServiceRead {
  readonly service: string;
  readonly settings: ServiceSettings | null;
  readonly wishes: Wishes;
  /** Null where the service has no gate. */
  readonly gate: { readonly gate: Gate; readonly problems: readonly { readonly problem: string }[] } | null;
  readonly hosts: ReadonlyMap<string, HostRecord>;
  readonly statuses: ReadonlyMap<string, HostStatus>;
  /** When the statuses were written, by ZooKeeper's clock. */
  readonly statusNodes: ReadonlyMap<string, { readonly writtenAtMs: number }>;
  /** What was made of each status before: of thousands only a few change from one reading to the next. */
  readonly shown?: WeakMap<HostStatus, HostStatus>;
  readonly agents: ReadonlyMap<string, AgentRecord>;
  readonly deploys: ReadonlyMap<string, PastRecord>;
  readonly builds: ReadonlyMap<string, { readonly value: BuildRecord }>;
  readonly newest: {
    readonly id: string | null;
    readonly pointerProblem: string | null;
    readonly damaged: DeployError | null;
  };
  readonly unreadable: Unreadable;
  problemsIn(section: "settings" | "wishes" | "hosts" | "statuses" | "deploys"): readonly string[];
  damageOfDeploy(id: string): DeployError | null;
  whyNoBuild(build: string): DeployError | null;
}

/** When a node was created and last written, by ZooKeeper's clock, in epoch milliseconds. */
interface Written {
  readonly madeAtMs: number;
  readonly writtenAtMs: number;
}

/** A deploy as it is on record. */
export type PastRecord = ConductedDeploy & Written;

/** One service as it stands: what is wished, what every host reports, and how far the newest deploy has come. */
export interface Overview {
  readonly service: string;
  readonly settings: ServiceSettings;
  readonly wishes: Wishes;
  readonly hosts: ReadonlyMap<string, HostRecord>;
  /**
   * `since` is when a host reported it, by ZooKeeper's clock: nobody knows whether the hosts' own clocks are right
   * (docs/adr/0022).
   */
  readonly statuses: ReadonlyMap<string, HostStatus>;
  readonly agents: ReadonlyMap<string, AgentRecord>;
  /** Why no host follows the wish, if so: the newest deploy's outcome then does not show what is wished. */
  readonly wishTrouble?: WishTrouble;
  /** Records that could not be read, described in words. */
  readonly problems: readonly string[];
  /** Every deploy that is kept, in no order. */
  readonly deploys: readonly PastRecord[];
  /** Why hosts of the newest deploy get no slot although they are ready, one sentence each. */
  readonly waits: readonly string[];
  /** Why the state of the newest deploy is not known; null if it is. */
  readonly damaged: DeployError | null;
  readonly deploy: {
    readonly id: string;
    readonly record: DeployRecord;
    readonly out: OutHosts;
    readonly progress: Progress;
    /** The barred ones among the builds that the deploy leads to, forwards or back. */
    readonly barred: ReadonlySet<string>;
  } | null;
}

/**
 * A snapshot of what was read: later readings do not change it.
 *
 * @param heldBack what other services forbid, where that was read
 */
export function overviewOf(read: ServiceRead, heldBack: HeldBack = nothingHeldBack): Overview {
  const { service, wishes, hosts, agents, newest } = read;
  const trouble = wishTroubleOf(read);
  const found = newest.id === null ? undefined : read.deploys.get(newest.id);
  const deploy = found === undefined ? null : deployIn(read, found);
  return {
    service,
    settings: read.settings ?? serviceSettingsSchema.parse({}),
    wishes,
    hosts: new Map(hosts),
    statuses: statusesByServersClock(read),
    agents: new Map(agents),
    problems: problemsOf(read, trouble),
    deploy,
    deploys: [...read.deploys.values()],
    waits:
      deploy === null
        ? []
        : whyItWaits({ ...deploy, gate: read.gate?.gate ?? null, hosts, statuses: read.statuses, heldBack }),
    damaged: newest.damaged ?? (newest.id === null ? null : read.damageOfDeploy(newest.id)),
    ...(trouble === null ? {} : { wishTrouble: trouble }),
  };
}

function problemsOf(read: ServiceRead, trouble: WishTrouble | null): string[] {
  const { service, newest, unreadable } = read;
  const problems = [...read.problemsIn("settings"), ...read.problemsIn("hosts"), ...read.problemsIn("statuses")];
  const held = heldProblem(service, read.statuses);
  if (held !== null) problems.push(held);
  if (trouble !== null && trouble.problem !== held && trouble.word !== "unreadable") problems.push(trouble.problem);
  const withheld = grantsWithheld(unreadable, read.gate !== null);
  if (withheld !== null) problems.push(withheld);
  problems.push(...read.problemsIn("wishes"), ...(read.gate?.problems ?? []).map(({ problem }) => problem));
  if (newest.pointerProblem !== null) problems.push(newest.pointerProblem);
  if (newest.damaged !== null) problems.push(newest.damaged.hint);
  problems.push(...read.problemsIn("deploys"));
  problems.push(...endedBefore(read), ...outdatedIn(read));
  return problems;
}

function deployIn(read: ServiceRead, deploy: ConductedDeploy & Written): NonNullable<Overview["deploy"]> {
  const { id, record, out } = deploy;
  const { build, previous } = record;
  const mayGoNowhere = (each: string): boolean =>
    read.builds.get(each)?.value.barred !== undefined || read.whyNoBuild(each)?.code === "build-unknown";
  return {
    id,
    record: byServersClock(record, deploy),
    out,
    progress: progressShown(read, deploy),
    barred: new Set((previous === null ? [build] : [build, previous]).filter(mayGoNowhere)),
  };
}

export function statusesByServersClock({
  statuses,
  statusNodes,
  shown = new WeakMap(),
}: Pick<ServiceRead, "statuses" | "statusNodes" | "shown">): ReadonlyMap<string, HostStatus> {
  const all = new Map<string, HostStatus>();
  for (const [host, status] of statuses) {
    let said = shown.get(status);
    if (said === undefined) {
      const { writtenAtMs } = statusNodes.get(host) ?? { writtenAtMs: 0 };
      said = { ...status, since: new Date(writtenAtMs).toISOString() };
      shown.set(status, said);
    }
    all.set(host, said);
  }
  return all;
}

/**
 * A record for people: its times are by ZooKeeper's clock, not by the clocks of the person who started it and of the
 * conductors, which may be days apart.
 */
export function byServersClock(record: DeployRecord, { madeAtMs, writtenAtMs }: Written): DeployRecord {
  const [created, changed] = [new Date(madeAtMs).toISOString(), new Date(writtenAtMs).toISOString()];
  if (isRunning(record)) return { ...record, times: { ...record.times, created, changed } };
  // What it cost, or a new try, may have been written after its end: how long after is told by the same clock as its end.
  const afterMs = Math.max(0, Date.parse(record.times.changed) - Date.parse(record.times.ended));
  const ended = new Date(Math.max(madeAtMs, writtenAtMs - afterMs)).toISOString();
  return { ...record, times: { ...record.times, created, changed, ended } };
}

/**
 * How far a deploy has come. Canary hosts that were rolled back follow the fleet's wish again, for the same build: the
 * progress then shows how the fleet serves it, and not that the deploy has no host any more.
 */
function progressShown({ wishes, hosts, statuses, agents }: ServiceRead, deploy: ConductedDeploy): Progress {
  const { id, record } = deploy;
  const { enabled, canary } = wishes;
  const view = { wishes, hosts, status: statuses, alive: new Set(agents.keys()) };
  const isWithFleet = record.state === "rolled back" && isOnCanaries(record) && canary?.deploy !== id;
  if (!isWithFleet || enabled?.deploy === undefined || enabled.build !== record.rollback.to)
    return progressOf(view, deploy);
  const wish = { build: enabled.build, deploy: enabled.deploy };
  const status = new Map(
    [...statuses].map(([host, said]) => [host, said.wish?.deploy === id ? { ...said, wish } : said]),
  );
  return progressOf({ ...view, status }, { ...deploy, id: wish.deploy });
}

/** A running service does not hear of a change of agent.toml. */
function outdatedIn({ service, statuses }: ServiceRead): string[] {
  const hosts: string[] = [];
  for (const [host, { outdated }] of statuses) if (outdated === true) hosts.push(host);
  if (hosts.length === 0) return [];
  hosts.sort();
  const run = hosts.length === 1 ? "runs" : "run";
  return [
    `${someOf(hosts, 4)} ${run} with an older agent.toml; to bring it to the service: deployd ctl restart ${service}`,
  ];
}

/** A later canary deploy hides that the fleet's own deploy was ended half way, so that hosts serve different builds. */
function endedBefore({ service, wishes: { enabled }, deploys, newest }: ServiceRead): string[] {
  if (enabled?.deploy === undefined || enabled.deploy === newest.id) return [];
  const found = deploys.get(enabled.deploy);
  if (found === undefined || (found.record.state !== "aborted" && found.record.state !== "halted")) return [];
  return [
    `The fleet is to serve "${enabled.build}", and its deploy ${enabled.deploy} was ${found.record.state}. ` +
      `Bring it to one build with: deployd ctl deploy ${service} BUILD`,
  ];
}
