import { moved, promoted, turnedRound, type DeployMove } from "../core/deploy.ts";
import { goesBack } from "../core/deploy_state.ts";
import { DeployError } from "../core/errors.ts";
import { withForgiven } from "../core/gate.ts";
import type { DeployRecord } from "../schema/deploy_record.ts";
import { gateSchema } from "../schema/znodes.ts";
import { op, type Op, type ZooKeeper } from "../zookeeper/client.ts";
import { readBuild } from "./builds.ts";
import { readFront, type DeployFront } from "./deploys.ts";
import { attempting } from "./errors.ts";
import { buildPath, canaryPath, deployPath, gatePath } from "./paths.ts";
import { encode, readRecord } from "./records.ts";
import { wishOps } from "./wishes.ts";

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
  if (record.state !== "awaiting promotion") {
    // Asked twice, it is as it was asked for.
    if (record.stage === "fleet" && record.stages[0] === "canary" && record.state !== "halted") return { id, record };
    throw notToPromote(service, latest, attempted);
  }
  const next = promoted(record, change);
  await attempting(attempted, async () =>
    zk.multi([
      op.set(deployPath(service, id), encode(next), latest.version),
      ...(await wishOps(zk, service, front, "fleet", { build: record.build, deploy: id })),
    ]),
  );
  return { id, record: next };
}

/**
 * Takes the hosts of the newest deploy back to the build before it, whatever state it is in, and bars its build. A way
 * back that was halted goes on: its failures so far count against the budget no longer.
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
  const next = turnedRound(record, change);
  const build = await readBuild(zk, service, record.build);
  const why = change.why === "" ? `rolled back in deploy ${id}` : change.why;
  const barred = build.value.barred ?? { who: change.who, why, time: change.now.toISOString() };
  const forgiveness = goesBack(record) ? await forgiveOps(zk, service, id, next.rollback.to, attempted) : [];
  await attempting(attempted, async () =>
    zk.multi([
      ...forgiveness,
      op.set(deployPath(service, id), encode(next), latest.version),
      op.set(buildPath(service, record.build), encode({ ...build.value, barred }), build.version),
      ...(await wishOps(zk, service, front, record.stage, { build: next.rollback.to, deploy: id })),
    ]),
  );
  return { id, record: next };
}

/** A way back that was halted goes on, though hosts have failed on it: whoever asks for it again has seen that. */
async function forgiveOps(
  zk: ZooKeeper,
  service: string,
  deploy: string,
  build: string,
  attempted: string,
): Promise<Op[]> {
  const path = gatePath(service, deploy);
  const found = await attempting(attempted, () => readRecord(zk, path, gateSchema));
  if (found === null) return [];
  const gate = withForgiven(found.value, build);
  return gate === found.value ? [] : [op.set(path, encode(gate), found.version)];
}

/** Moves a deploy to another state; only the conductor does this, against the version it has read. */
export async function moveDeploy(
  zk: ZooKeeper,
  service: string,
  deploy: { id: string; record: DeployRecord; version: number },
  move: DeployMove,
  now: Date,
): Promise<void> {
  const { id, record, version } = deploy;
  const next = moved(record, move, now);
  const ops = [op.set(deployPath(service, id), encode(next), version)];
  if (next.state === "rolled back" && next.stage === "canary") {
    // The way back is complete: the canary hosts follow `enabled` again, which names the same build.
    const front = await readFront(zk, service);
    if (front.canary?.value?.deploy === id) ops.push(op.delete(canaryPath(service), front.canary.version));
  }
  await zk.multi(ops);
}

function notToPromote(service: string, { id, record }: Latest, attempted: string): DeployError {
  const onItsWay = record.state === "canary" || (record.state === "preparing" && record.stage === "canary");
  return onItsWay
    ? new DeployError(`${attempted}: the canary hosts do not all serve "${record.build}" yet.`, {
        code: "deploy-running",
        hint: `Wait for them with: deployd ctl wait ${service}`,
      })
    : new DeployError(`${attempted}: deploy ${id} of "${record.build}" is ${record.state}.`, {
        code: "nothing-to-do",
        hint: `Only a deploy that was started with --canary and is healthy there can be promoted.`,
      });
}

function latestOf({ latest, damaged }: DeployFront, attempted: string, { service, deploy }: Change): Latest {
  if (damaged !== null) throw damaged;
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
