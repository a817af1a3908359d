import { aborted, started } from "../core/deploy.ts";
import { isRunning } from "../core/deploy_state.ts";
import { limitsOf } from "../core/limits.ts";
import { stagesWithoutHosts } from "../core/stage_hosts.ts";
import { reachAfter, toEverybody } from "../core/stages.ts";
import { deployRecordSchema, type DeployRecord } from "../schema/deploy_record.ts";
import type { Stage } from "../schema/stages.ts";
import type { OnHalt } from "../schema/on_halt.ts";
import type { BuildRecord, HostRecord, ServiceSettings } from "../schema/znodes.ts";
import { op, type Op, type ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import { accounted } from "./accounted.ts";
import { assertNotBarred } from "./bar.ts";
import { readBuild } from "./builds.ts";
import { foundBy, readDeploy, readHead, type ServiceHead } from "./deploys.ts";
import { attempting } from "./errors.ts";
import { ServiceMirror } from "./mirror.ts";
import { assertNoneRunning } from "./one_at_a_time.ts";
import { assertOpen } from "./opening.ts";
import { buildPath, deployPath } from "./paths.ts";
import { encode, readRecord } from "./records.ts";
import { readService } from "./services.ts";
import { wishOf, wishOps } from "./wishes.ts";

export interface DeployRequest {
  readonly id: string;
  readonly service: string;
  readonly build: string;
  /** Unless given, those of the service. */
  readonly stages?: readonly Stage[] | undefined;
  readonly onHalt?: OnHalt | undefined;
  readonly who: string;
  readonly why: string;
  /** Where this deploy differs from the service's settings. */
  readonly limits: Partial<DeployRecord["limits"]>;
  readonly now: Date;
  /** It ends the deploy that is under way, if there is one. */
  readonly urgent?: boolean | undefined;
  /** Restart what runs already. */
  readonly restarts?: boolean | undefined;
  /** Why it is started although the service is frozen, or none of its windows is open. */
  readonly override?: string | undefined;
}

export interface Started {
  readonly id: string;
  readonly record: DeployRecord;
  /** The deploy that it has ended; null where none was under way. */
  readonly overtaken: ServiceHead["latest"];
}

/**
 * Starts a deploy: its record and the wish, in one `multi`. Calling it again with the same id changes
 * nothing and returns the deploy as it stands, so a caller whose answer was lost simply repeats the call.
 *
 * @throws DeployError `service-unknown`, `build-unknown`, `build-barred`, `deploy-running`, `nothing-to-do`, `usage`
 */
export async function startDeploy(zk: ZooKeeper, request: DeployRequest): Promise<Started> {
  const { service, build, id } = request;
  const attempted = `Cannot deploy "${build}" to "${service}"`;
  const settings = await readService(zk, service);
  const said = await attempting(attempted, () => readRecord(zk, deployPath(service, id), deployRecordSchema));
  if (said !== null) return { id, record: said.value, overtaken: null };
  const head = await readHead(zk, service);
  if (head.damaged !== null) throw head.damaged;
  const target = await readBuild(zk, service, build);
  assertDeployable(target.value, request, attempted);
  assertOpen(service, settings, head.latest, attempted, request);
  const { held, overtaken } = await endedBy(zk, request, head);
  if (overtaken === null) await assertNoneRunning(zk, service, head, build);

  const stages = request.stages ?? settings.stages ?? toEverybody;
  const { hosts, statuses, gate } = await ServiceMirror.look(zk, service, ["gate", "hosts", "statuses"]);
  const [nobody] = stagesWithoutHosts(service, stages, hosts, attempted);
  if (nobody !== undefined) throw nobody;
  const record = newRecord(request, stages, settings, await foundBy(zk, service, head, build), hosts);
  const { to, wish } = wishOf(id, record);

  const ops: Op[] = [
    ...(overtaken === null ? [] : [endedOp(service, accounted(overtaken, statuses, gate), request, held !== null)]),
    op.check(buildPath(service, build), target.version),
    op.create(deployPath(service, id), encode(record)),
    ...wishOps(service, head, to, wish, statuses),
  ];
  await attempting(attempted, async () => {
    try {
      await zk.multi(ops);
    } catch (error) {
      if (!isZooKeeperError(error) || error.outcome !== "unknown") throw error;
      // Nobody else uses this id: if the deploy exists, the call whose answer was lost has succeeded.
      if ((await readRecord(zk, deployPath(service, id), deployRecordSchema)) === null) throw error;
    }
  });
  return { id, record: (await readDeploy(zk, service, id)).record, overtaken };
}

/** What a deploy is on record as before anything has moved. @param found what it finds: `foundBy` */
export function newRecord(
  request: DeployRequest,
  stages: readonly Stage[],
  settings: ServiceSettings,
  found: Pick<DeployRecord, "previous" | "before">,
  hosts: ReadonlyMap<string, HostRecord>,
): DeployRecord {
  const { id, build, who, why, onHalt, restarts, override, now } = request;
  return started({
    build,
    ...found,
    who,
    why,
    stages: [...stages],
    ...(stages[0]?.hosts === "canary" ? {} : { reach: reachAfter(stages, 0, id, hosts) }),
    limits: limitsOf({ ...settings, ...request.limits }),
    onHalt: policyOf(onHalt ?? settings.onHalt, restarts === true),
    restarts,
    override,
    notify: settings.notify,
    now,
  });
}

/** What restarts halt for is not the build that they keep, so that going back to the one before it would mend nothing. */
function policyOf(policy: OnHalt, restarts: boolean): OnHalt {
  return restarts && policy === "rollback" ? "ask" : policy;
}

/** @throws DeployError `build-barred` */
export function assertDeployable(record: BuildRecord, { service, build }: DeployRequest, attempted: string): void {
  assertNotBarred(record, attempted, {
    what: "the build",
    hint: `Deploy another build, or allow this one again with: deployd ctl builds unbar ${service} ${build}`,
  });
}

/** The deploy under way that the request would end; `held` where every host holds that one. */
export async function endedBy(
  zk: ZooKeeper,
  { service, urgent }: DeployRequest,
  head: ServiceHead,
): Promise<{ readonly held: ServiceHead["latest"]; readonly overtaken: ServiceHead["latest"] }> {
  const held = await heldByAll(zk, service, head);
  return { held, overtaken: held ?? (urgent === true ? runningIn(head) : null) };
}

/**
 * The deploy under way that every host holds because a restored backup of ZooKeeper brought it back and the hosts have
 * moved on since. No host goes on with it, so it does not block another deploy.
 */
async function heldByAll(zk: ZooKeeper, service: string, { latest }: ServiceHead): Promise<ServiceHead["latest"]> {
  if (latest === null || !isRunning(latest.record)) return null;
  const statuses = [...(await ServiceMirror.look(zk, service, ["statuses"])).statuses.values()];
  return statuses.length > 0 && statuses.every(({ held }) => held?.deploy === latest.id) ? latest : null;
}

/** The deploy that an urgent one overtakes. */
function runningIn({ latest }: ServiceHead): ServiceHead["latest"] {
  return latest !== null && isRunning(latest.record) ? latest : null;
}

function endedOp(
  service: string,
  { id, record, version }: NonNullable<ServiceHead["latest"]>,
  { id: by, who, build, now }: DeployRequest,
  isHeld: boolean,
): Op {
  const why = isHeld
    ? `no host went on with it, in a ZooKeeper that was restored from a backup; overtaken by deploy ${by}`
    : `overtaken by the urgent deploy ${by} of "${build}" by ${who}`;
  return op.set(deployPath(service, id), encode(aborted(record, why, now)), version);
}
