import { buildsBetween, type BuildsBetween } from "../core/builds_between.ts";
import type { HeldBack } from "../core/between_services.ts";
import { isDeployError, type DeployError } from "../core/errors.ts";
import { timeBasis, type TimeBasis } from "../core/plan_time.ts";
import { planRollout, type RolloutPlan } from "../core/rollout_plan.ts";
import { stagesWithoutHosts } from "../core/stage_hosts.ts";
import { toEverybody } from "../core/stages.ts";
import { deployRecordSchema, type DeployRecord } from "../schema/deploy_record.ts";
import type { HostRecord, HostStatus } from "../schema/znodes.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { barredOf } from "./bar.ts";
import { listBuilds, readBuild } from "./builds.ts";
import { foundBy, listDeploys, readHead, type ServiceHead } from "./deploys.ts";
import { attempting } from "./errors.ts";
import { readRules } from "./held_back.ts";
import { ServiceMirror } from "./mirror.ts";
import { assertNoneRunning } from "./one_at_a_time.ts";
import { whyClosed } from "./opening.ts";
import { deployPath } from "./paths.ts";
import { readRecord } from "./records.ts";
import { readService } from "./services.ts";
import { assertDeployable, endedBy, newRecord, type DeployRequest } from "./start_deploy.ts";

/** What a deploy would do, and all that stands in its way. */
export interface PlannedDeploy {
  readonly request: DeployRequest;
  readonly record: DeployRecord;
  /** Everything for which it would be refused now, in the order in which `startDeploy` would find it. */
  readonly refusals: readonly DeployError[];
  /** A deploy of this id is there already: `startDeploy` would start nothing. */
  readonly existing: DeployRecord | null;
  /** The deploy under way that it would end; null where there is none. */
  readonly overtaken: ServiceHead["latest"];
  readonly rollout: RolloutPlan;
  /** What a time can be told by; null where no deploy on record was done. */
  readonly basis: TimeBasis | null;
  /** What is served before it, and what a rollback would go back to; `isBarred`: that build is barred or removed. */
  readonly served: string | null;
  readonly back: { readonly build: string; readonly isBarred: boolean } | null;
  readonly between: BuildsBetween;
  /** What other services would forbid it now. */
  readonly heldBack: HeldBack;
  readonly hosts: ReadonlyMap<string, HostRecord>;
  readonly statuses: ReadonlyMap<string, HostStatus>;
  /** Records that cannot be read, in words. */
  readonly problems: readonly string[];
}

/**
 * Computes what a deploy would do, and changes nothing.
 *
 * @throws DeployError `service-unknown`, and what keeps the service from being read at all
 */
export async function planDeploy(zk: ZooKeeper, request: DeployRequest): Promise<PlannedDeploy> {
  const { service, build, id, now } = request;
  const attempted = `Cannot deploy "${build}" to "${service}"`;
  const settings = await readService(zk, service);
  const head = await readHead(zk, service);
  const problems: string[] = [];
  const [looked, builds, deploys, existing] = await Promise.all([
    ServiceMirror.look(zk, service, ["settings", "gate", "deploys", "hosts", "statuses", "agents"]),
    listBuilds(zk, service, (problem) => problems.push(problem)),
    listDeploys(zk, service),
    attempting(attempted, () => readRecord(zk, deployPath(service, id), deployRecordSchema)),
  ]);
  const { hosts, statuses, agents } = looked;
  const stages = request.stages ?? settings.stages ?? toEverybody;
  const { overtaken } = await endedBy(zk, request, head);
  const { latest } = head;
  const refusals = [
    ...(head.damaged === null ? [] : [head.damaged]),
    ...(await refusedBy(async () => assertDeployable((await readBuild(zk, service, build)).value, request, attempted))),
    ...whyClosed({ service, settings, latest }, attempted, request),
    ...(overtaken === null ? await refusedBy(() => assertNoneRunning(zk, service, head, build)) : []),
    ...stagesWithoutHosts(service, stages, hosts, attempted),
  ];
  const found = await foundBy(zk, service, head, build);
  const record = newRecord(request, stages, settings, found, hosts);
  const served = found.before?.build ?? head.enabled.value?.build ?? null;
  const alive = new Set(agents.keys());
  return {
    request,
    record,
    refusals,
    existing: existing?.value ?? null,
    overtaken,
    rollout: planRollout({ hosts, statuses, alive, gate: looked.gate?.gate ?? null, settings }, id, record, now),
    basis: timeBasis(deploys, statuses),
    served,
    back: found.previous === null ? null : await backTo(zk, service, found.previous),
    between: buildsBetween(builds, served, build),
    heldBack: await readRules(zk, looked),
    hosts,
    statuses,
    problems: [...problems, ...looked.problemsIn("hosts"), ...looked.problemsIn("statuses")],
  };
}

async function backTo(zk: ZooKeeper, service: string, build: string): Promise<NonNullable<PlannedDeploy["back"]>> {
  const barred = await barredOf(zk, service, { build, previous: null });
  return { build, isBarred: barred.has(build) };
}

/** The refusal that the check throws. @throws whatever it throws that says only that ZooKeeper could not be asked */
async function refusedBy(check: () => Promise<void>): Promise<DeployError[]> {
  try {
    await check();
    return [];
  } catch (error) {
    if (isDeployError(error) && !error.retry) return [error];
    throw error;
  }
}
