import { aborted, turnedRound } from "../core/deploy.ts";
import { isOnCanaries, isRunning } from "../core/deploy_state.ts";
import { DeployError } from "../core/errors.ts";
import { buildRecordSchema } from "../schema/znodes.ts";
import { op, type Op, type ZooKeeper } from "../zookeeper/client.ts";
import { accounted } from "./accounted.ts";
import { assertNotBarred } from "./bar.ts";
import { readBuild } from "./builds.ts";
import { latestOf, type Change, type Changed, type Latest } from "./change_deploy.ts";
import { listDeploys, readHead, type ServiceHead } from "./deploys.ts";
import { attempting } from "./errors.ts";
import { buildPath, canaryPath, deployPath } from "./paths.ts";
import { encode, readRecord } from "./records.ts";
import { ServiceMirror } from "./mirror.ts";
import { wishOf, wishOps } from "./wishes.ts";

/**
 * Takes the hosts of the newest deploy back to the build before it, whatever state the deploy is in, and bars its build.
 * A way back that was halted is resumed: its failures so far no longer count against the budget. A deploy with no build
 * before it is aborted and its build barred.
 *
 * @throws DeployError `nothing-to-do` when it has ended and there is no build to go back to, `build-barred` when that
 *   build is barred, `build-unknown` when it was removed, `deploy-mismatch` when the newest deploy is not the one that
 *   the caller means
 */
export async function rollBack(zk: ZooKeeper, change: Change): Promise<Changed> {
  const { service } = change;
  const attempted = `Cannot roll "${service}" back`;
  const head = await readHead(zk, service);
  const latest = latestOf(head, attempted, change, "rollback");
  const { id, record } = latest;
  if (record.state === "rolling back" || record.state === "rolled back") return { id, record };
  const { previous } = record;
  if (previous === null || previous === record.build) return endTheFirst(zk, change, head, latest, attempted);
  const instead = isRunning(record)
    ? `End it where it is with: deployd ctl abort ${service} ${record.build}`
    : `Deploy another build with: deployd ctl deploy ${service} BUILD`;
  const back = await attempting(attempted, () => readRecord(zk, buildPath(service, previous), buildRecordSchema));
  if (back === null) {
    throw new DeployError(`${attempted}: "${previous}", the build to go back to, was removed from "${service}".`, {
      code: "build-unknown",
      hint: instead,
    });
  }
  assertNotBarred(back.value, attempted, {
    what: `"${previous}", the build to go back to,`,
    hint: `${instead}, or allow that one again first: deployd ctl builds unbar ${service} ${previous}`,
  });
  // A deploy to the canary hosts of what the fleet serves already, as by a repeated CI job, is taken back on the whole
  // fleet.
  const isWithFleet = isOnCanaries(record) && head.enabled.value?.build === record.build;
  const { statuses, gate } = await ServiceMirror.look(zk, service, ["gate", "statuses"]);
  const turned = turnedRound(accounted(latest, statuses, gate).record, change);
  const next = isWithFleet ? { ...turned, stage: turned.stages.length - 1 } : turned;
  const { to, wish } = wishOf(id, next);
  const bar = await barOp(zk, change, latest);
  await attempting(attempted, async () =>
    zk.multi([
      op.set(deployPath(service, id), encode(next), latest.version),
      bar,
      op.check(buildPath(service, previous), back.version),
      ...wishOps(service, head, to, wish, statuses),
    ]),
  );
  return { id, record: next };
}

/** Nothing was served before: no further host gets the build, and hosts that have it keep it until another is deployed. */
async function endTheFirst(
  zk: ZooKeeper,
  change: Change,
  { canary }: ServiceHead,
  latest: Latest,
  attempted: string,
): Promise<Changed> {
  const { service, who, why, now } = change;
  const { id, record, version } = latest;
  if (record.state === "aborted") return { id, record };
  if (!isRunning(record) && record.state !== "halted") {
    throw new DeployError(
      `${attempted}: deploy ${id} of "${record.build}" was its first, so there is nothing before it.`,
      { code: "nothing-to-do", hint: `Deploy another build with: deployd ctl deploy ${service} BUILD` },
    );
  }
  // A build that was deployed again was itself served before: the deploy is aborted, and the build is not barred.
  const wasGood = (await listDeploys(zk, service)).some(
    (other) => other.id !== id && other.record.build === record.build && other.record.state === "done",
  );
  const before = wasGood ? "it was served before" : "nothing was served before it";
  const next = aborted(record, `rolled back by ${who}${why === "" ? "" : `: ${why}`}; ${before}`, now, change);
  const bar = wasGood ? [] : [await barOp(zk, change, latest)];
  const isCanaries = isOnCanaries(record) && canary?.value?.deploy === id;
  await attempting(attempted, () =>
    zk.multi([
      op.set(deployPath(service, id), encode(next), version),
      ...bar,
      ...(isCanaries ? [op.delete(canaryPath(service), canary.version)] : []),
    ]),
  );
  return { id, record: next };
}

async function barOp(zk: ZooKeeper, { service, who, why, now }: Change, { id, record }: Latest): Promise<Op> {
  const { value, version } = await readBuild(zk, service, record.build);
  const barred = value.barred ?? {
    who,
    why: why === "" ? `rolled back in deploy ${id}` : why,
    time: now.toISOString(),
  };
  return op.set(buildPath(service, record.build), encode({ ...value, barred }), version);
}
