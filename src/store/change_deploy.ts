import { DeployError } from "../core/errors.ts";
import type { DeployRecord } from "../schema/znodes.ts";
import { op, type ZooKeeper } from "../zookeeper/client.ts";
import { readBuild } from "./builds.ts";
import { readFront, type DeployFront } from "./deploys.ts";
import { attempting } from "./errors.ts";
import { buildPath, canaryPath, deployPath } from "./paths.ts";
import { encode } from "./records.ts";
import { wishOps } from "./start_deploy.ts";

export interface Change {
  readonly service: string;
  /** The deploy that is meant; when a newer one has come since, nothing is changed. The newest, whichever, unless given. */
  readonly deploy?: string | undefined;
  readonly who: string;
  readonly why: string;
  readonly now: Date;
}

type Latest = NonNullable<DeployFront["latest"]>;

/**
 * Takes a deploy that is proven on the canary hosts to the whole fleet.
 *
 * @throws DeployError `nothing-to-do` when no deploy waits for it, `deploy-running` while the canaries are not done
 */
export async function promote(zk: ZooKeeper, change: Change): Promise<{ id: string; record: DeployRecord }> {
  const { service } = change;
  const attempted = `Cannot promote "${service}"`;
  const front = await readFront(zk, service);
  const latest = latestOf(front, attempted, change);
  const { id, record } = latest;
  if (record.stage === "fleet" && record.stages[0] === "canary" && record.state !== "halted") return { id, record };
  if (record.stage !== "canary" || !["preparing", "canary"].includes(record.state)) {
    throw new DeployError(`${attempted}: deploy ${id} of "${record.build}" is ${record.state}.`, {
      code: "nothing-to-do",
      hint: `Only a deploy that was started with --canary and is healthy there can be promoted.`,
    });
  }
  if (!record.awaitingPromotion) {
    throw new DeployError(`${attempted}: the canary hosts do not all serve "${record.build}" yet.`, {
      code: "deploy-running",
      hint: `Wait for them with: deployd ctl wait ${service}`,
    });
  }
  const next: DeployRecord = {
    ...record,
    stage: "fleet",
    state: "rolling",
    awaitingPromotion: false,
    promoted: { who: change.who, why: change.why, time: change.now.toISOString() },
    times: { ...record.times, changed: change.now.toISOString() },
  };
  await attempting(attempted, () =>
    zk.multi([
      op.set(deployPath(service, id), encode(next), latest.version),
      ...wishOps(service, front, "fleet", { build: record.build, deploy: id }),
    ]),
  );
  return { id, record: next };
}

/**
 * Takes the hosts of the newest deploy back to the build before it, whatever state it is in, and bars its build.
 *
 * @throws DeployError `nothing-to-do` when there is no build to go back to
 */
export async function rollBack(zk: ZooKeeper, change: Change): Promise<{ id: string; record: DeployRecord }> {
  const { service } = change;
  const attempted = `Cannot roll "${service}" back`;
  const front = await readFront(zk, service);
  const latest = latestOf(front, attempted, change);
  const { id, record } = latest;
  if (record.state === "rolling back" || record.state === "rolled back") return { id, record };
  if (record.previous === null) {
    throw new DeployError(
      `${attempted}: deploy ${id} of "${record.build}" was its first, so there is nothing before it.`,
      {
        code: "nothing-to-do",
        hint: `Deploy another build with: deployd ctl deploy ${service} BUILD`,
      },
    );
  }
  if (record.previous === record.build) {
    throw new DeployError(`${attempted}: deploy ${id} found "${record.build}" wished already, and changed nothing.`, {
      code: "nothing-to-do",
      hint: `Deploy another build with: deployd ctl deploy ${service} BUILD`,
    });
  }
  const time = change.now.toISOString();
  const { ended: _, ...times } = record.times;
  const next: DeployRecord = {
    ...record,
    state: "rolling back",
    awaitingPromotion: false,
    reason: change.why === "" ? record.reason : change.why,
    rollback: { who: change.who, why: change.why, time, from: record.state },
    times: { ...times, changed: time },
  };
  const build = await readBuild(zk, service, record.build);
  const barred = build.value.barred ?? { who: change.who, why: change.why || `rolled back in deploy ${id}`, time };
  await attempting(attempted, () =>
    zk.multi([
      op.set(deployPath(service, id), encode(next), latest.version),
      op.set(buildPath(service, record.build), encode({ ...build.value, barred }), build.version),
      ...wishOps(service, front, record.stage, { build: next.previous ?? record.build, deploy: id }),
    ]),
  );
  return { id, record: next };
}

/** Moves a deploy to another state; only the conductor does this, against the version it has read. */
export async function moveDeploy(
  zk: ZooKeeper,
  service: string,
  deploy: { id: string; record: DeployRecord; version: number },
  to: Pick<DeployRecord, "state" | "awaitingPromotion" | "reason">,
  now: Date,
): Promise<void> {
  const { id, record, version } = deploy;
  const ended = ["done", "halted", "aborted", "rolled back"].includes(to.state) ? { ended: now.toISOString() } : {};
  const next: DeployRecord = { ...record, ...to, times: { ...record.times, changed: now.toISOString(), ...ended } };
  const ops = [op.set(deployPath(service, id), encode(next), version)];
  if (to.state === "rolled back" && record.stage === "canary") {
    // The way back is complete: the canary hosts follow `enabled` again, which names the same build.
    const front = await readFront(zk, service);
    if (front.canary?.value?.deploy === id) ops.push(op.delete(canaryPath(service), front.canary.version));
  }
  await zk.multi(ops);
}

function latestOf({ latest }: DeployFront, attempted: string, { service, deploy }: Change): Latest {
  if (latest === null) {
    throw new DeployError(`${attempted}: nothing was ever deployed.`, {
      code: "nothing-to-do",
      hint: `Start with: deployd ctl deploy ${service} BUILD`,
    });
  }
  if (deploy === undefined || deploy === latest.id) return latest;
  throw new DeployError(`${attempted}: deploy ${latest.id} has come after ${deploy}, which was meant.`, {
    code: "conflict",
    hint: "Look with `deployd ctl status` and repeat the command if it still makes sense.",
  });
}
