import { aborted, started } from "../core/deploy.ts";
import { isRunning } from "../core/deploy_state.ts";
import { DeployError } from "../core/errors.ts";
import { deployRecordSchema, type DeployRecord } from "../schema/deploy_record.ts";
import { op, type Op, type ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import { assertNotBarred } from "./bar.ts";
import { readBuild } from "./builds.ts";
import { buildBefore, readDeploy, readHead, type ServiceHead } from "./deploys.ts";
import { attempting } from "./errors.ts";
import { ServiceMirror } from "./mirror.ts";
import { assertNoneRunning } from "./one_at_a_time.ts";
import { buildPath, deployPath } from "./paths.ts";
import { encode, readRecord } from "./records.ts";
import { readService } from "./services.ts";
import { wishOps } from "./wishes.ts";

export interface DeployRequest {
  readonly id: string;
  readonly service: string;
  readonly build: string;
  readonly stages: DeployRecord["stages"];
  readonly who: string;
  readonly why: string;
  /** Where this deploy differs from the service's settings. */
  readonly limits: Partial<DeployRecord["limits"]>;
  readonly now: Date;
}

/**
 * Starts a deploy: its record and the wish, in one `multi`. Calling it again with the same id changes
 * nothing and returns the deploy as it stands, so a caller whose answer was lost simply repeats the call.
 *
 * @throws DeployError `service-unknown`, `build-unknown`, `build-barred`, `deploy-running`, `nothing-to-do`, `usage`
 */
export async function startDeploy(
  zk: ZooKeeper,
  request: DeployRequest,
): Promise<{ id: string; record: DeployRecord }> {
  const { service, build, id } = request;
  const attempted = `Cannot deploy "${build}" to "${service}"`;
  const settings = await readService(zk, service);
  const said = await attempting(attempted, () => readRecord(zk, deployPath(service, id), deployRecordSchema));
  if (said !== null) return { id, record: said.value };
  const head = await readHead(zk, service);
  if (head.damaged !== null) throw head.damaged;
  const target = await readBuild(zk, service, build);
  assertNotBarred(target.value, attempted, {
    what: "the build",
    hint: `Deploy another build, or allow this one again with: deployd ctl builds unbar ${service} ${build}`,
  });
  const overtaken = await heldByAll(zk, service, head);
  if (overtaken === null) await assertNoneRunning(zk, service, head, build);

  const first = request.stages[0] ?? "fleet";
  await assertHosts(zk, service, first, attempted);
  const record = started({
    build,
    previous: await buildBefore(zk, service, head, build),
    who: request.who,
    why: request.why,
    stages: request.stages,
    limits: {
      max: request.limits.max ?? settings.max,
      budget: request.limits.budget ?? settings.budget,
      soakMs: request.limits.soakMs ?? settings.soakMs,
    },
    now: request.now,
  });

  const ops: Op[] = [
    ...(overtaken === null ? [] : [endedOp(service, overtaken, id, request.now)]),
    op.check(buildPath(service, build), target.version),
    op.create(deployPath(service, id), encode(record)),
    ...(await wishOps(zk, service, head, first, { build, deploy: id })),
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
  return { id, record: (await readDeploy(zk, service, id)).record };
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

function endedOp(
  service: string,
  { id, record, version }: NonNullable<ServiceHead["latest"]>,
  by: string,
  now: Date,
): Op {
  const why = `no host went on with it, in a ZooKeeper that was restored from a backup; overtaken by deploy ${by}`;
  return op.set(deployPath(service, id), encode(aborted(record, why, now)), version);
}

async function assertHosts(
  zk: ZooKeeper,
  service: string,
  stage: DeployRecord["stage"],
  attempted: string,
): Promise<void> {
  if (stage !== "canary") return;
  const { hosts } = await ServiceMirror.look(zk, service, ["hosts"]);
  if ([...hosts.values()].some((host) => host.role === "canary")) return;
  throw new DeployError(`${attempted} on canary hosts: none of its ${hosts.size} hosts is a canary.`, {
    code: "usage",
    hint:
      hosts.size > 0
        ? `Name one with: deployd ctl hosts role ${service} HOST canary`
        : `A host registers itself when its agent starts with [services.${service}] in its agent.toml; see: deployd ctl hosts list ${service}`,
  });
}
