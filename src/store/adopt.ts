import { aborted, started } from "../core/deploy.ts";
import { isRunning } from "../core/deploy_state.ts";
import { limitsOf } from "../core/limits.ts";
import { nextNumber } from "../core/wish_order.ts";
import { canariesFirst, toEverybody } from "../core/stages.ts";
import type { Wish } from "../schema/znodes.ts";
import { op, type Op, type ZooKeeper } from "../zookeeper/client.ts";
import { accounted } from "./accounted.ts";
import { assertNotBarred } from "./bar.ts";
import { readBuild } from "./builds.ts";
import { inheritedFrom, readHead, servedBefore, type ServiceHead } from "./deploys.ts";
import { ServiceMirror } from "./mirror.ts";
import { buildPath, canaryPath, deployPath, deploysPath, enabledPath } from "./paths.ts";
import { encode, type Versioned } from "./records.ts";
import { readService } from "./services.ts";

/**
 * A wish written by hand (zkCli, another program) becomes a deploy like any other: it gets a record with the service's
 * own limits and no author, in the `multi` that writes the deploy's id into the wish. A wish whose deploy record somebody
 * deleted gets a new one too. Does nothing when every wish names its deploy.
 *
 * @returns the new deploy's id, or null
 * @throws DeployError `build-unknown` when the wish names a build that was never added, `build-barred`
 */
export async function adoptWish(zk: ZooKeeper, service: string, id: string, now: Date): Promise<string | null> {
  const head = await readHead(zk, service);
  // The damaged deploy may be under way, and the wish would have to end it.
  if (head.damaged !== null) throw head.damaged;
  const byHand =
    (await unrecorded(zk, service, "fleet", head.enabled)) ?? (await unrecorded(zk, service, "canary", head.canary));
  if (byHand === null) return null;
  const { stage, wish, version } = byHand;
  const settings = await readService(zk, service);
  const target = await readBuild(zk, service, wish.build);
  assertNotBarred(target.value, `Cannot follow the wish for "${wish.build}" of "${service}"`, {
    what: "the build",
    hint: `Wish for another build, or allow this one again with: deployd ctl builds unbar ${service} ${wish.build}`,
  });
  const { latest } = head;
  const good = stage === "canary" ? (head.enabled.value?.build ?? null) : servedBefore(latest?.record ?? null);
  const record = started({
    build: wish.build,
    previous: await inheritedFrom(zk, service, wish.build, good),
    who: "unknown",
    why: "the wish was written into ZooKeeper by hand",
    before: null,
    stages: [...(stage === "canary" ? canariesFirst : toEverybody)],
    limits: limitsOf(settings),
    onHalt: settings.onHalt,
    notify: settings.notify,
    now,
  });
  // Not raised above what hosts have followed: the wish may come from a backup, and then a person has to confirm it.
  const number = nextNumber(head.pointer.value.number);
  await zk.multi([
    op.set(deploysPath(service), encode({ ...head.pointer.value, latest: id, number }), head.pointer.version),
    op.check(buildPath(service, wish.build), target.version),
    ...(await overtakenOps(zk, service, head, stage, id, now)),
    op.create(deployPath(service, id), encode(record)),
    op.set(
      stage === "canary" ? canaryPath(service) : enabledPath(service),
      encode({ build: wish.build, deploy: id, number }),
      version,
    ),
  ]);
  return id;
}

/** A wish that names no deploy, or one whose record is gone. */
async function unrecorded<Stage extends "fleet" | "canary">(
  zk: ZooKeeper,
  service: string,
  stage: Stage,
  node: Versioned<Wish | null> | null,
): Promise<{ stage: Stage; wish: Wish; version: number } | null> {
  if (node === null || node.value === null) return null;
  const { value: wish, version } = node;
  if (wish.deploy !== undefined && (await zk.exists(deployPath(service, wish.deploy))) !== null) return null;
  return { stage, wish, version };
}

/**
 * What the new wish ends: the deploy that is under way and, as any deploy to the fleet does, the wish of the canary
 * hosts.
 */
async function overtakenOps(
  zk: ZooKeeper,
  service: string,
  { latest, canary }: ServiceHead,
  stage: "canary" | "fleet",
  id: string,
  now: Date,
): Promise<Op[]> {
  const ops: Op[] = [];
  if (latest !== null && isRunning(latest.record)) {
    const { statuses, gate } = await ServiceMirror.look(zk, service, ["gate", "statuses"]);
    const { record } = accounted(latest, statuses, gate);
    const next = aborted(record, `overtaken by a wish written by hand (${id})`, now);
    ops.push(op.set(deployPath(service, latest.id), encode(next), latest.version));
  }
  // A canary wish that was written by hand as well has still to be adopted.
  const followed = canary !== null && canary.value?.deploy !== undefined;
  if (stage === "fleet" && followed) ops.push(op.delete(canaryPath(service), canary.version));
  return ops;
}
