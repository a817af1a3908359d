import { DeployError } from "../core/errors.ts";
import { isRunning, type RunningDeploy } from "../core/deploy_state.ts";
import { nearest } from "../schema/problems.ts";
import { deployRecordSchema, type DeployRecord } from "../schema/deploy_record.ts";
import { deploysPointerSchema, wishSchema, type DeploysPointer, type Wish } from "../schema/znodes.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { attempting } from "./errors.ts";
import { canaryPath, deployPath, deploysPath, enabledPath } from "./paths.ts";
import { childrenOf, readDamaged, readRecord, readSlot, type Versioned } from "./records.ts";

/** The newest deploy of a service and what it hangs on, read for a change by compare-and-set. */
export interface DeployFront {
  readonly pointer: Versioned<DeploysPointer>;
  readonly latest: { readonly id: string; readonly record: DeployRecord; readonly version: number } | null;
  readonly enabled: Versioned<Wish | null>;
  readonly canary: Versioned<Wish | null> | null;
  /** What is wrong with wishes that cannot be read; the next deploy replaces them. */
  readonly problems: readonly string[];
}

export async function readFront(zk: ZooKeeper, service: string): Promise<DeployFront> {
  return attempting(`Cannot read the deploys of "${service}"`, async () => {
    const [pointer, enabled, canary] = await Promise.all([
      readSlot(zk, deploysPath(service), deploysPointerSchema),
      readDamaged(zk, enabledPath(service), wishSchema),
      readDamaged(zk, canaryPath(service), wishSchema),
    ]);
    if (pointer === null || enabled === null) {
      throw new DeployError(`The tree of "${service}" in ZooKeeper is incomplete.`, {
        code: "zookeeper-data-invalid",
        hint: `Make what is missing with: deployd ctl services set ${service}`,
      });
    }
    const value = pointer.value ?? { latest: null, number: 0 };
    const latest = value.latest === null ? null : await readDeploy(zk, service, value.latest);
    const problems = [enabled.problem, canary?.problem].filter((problem) => problem !== undefined);
    return { pointer: { ...pointer, value }, latest, enabled, canary, problems };
  });
}

/** @throws DeployError `deploy-unknown` */
export async function readDeploy(
  zk: ZooKeeper,
  service: string,
  id: string,
): Promise<{ id: string; record: DeployRecord; version: number }> {
  return attempting(`Cannot read deploy "${id}" of "${service}"`, async () => {
    const found = await readRecord(zk, deployPath(service, id), deployRecordSchema);
    if (found !== null) return { id, record: found.value, version: found.version };
    const near = nearest(id, await childrenOf(zk, deploysPath(service)));
    throw new DeployError(`There is no deploy "${id}" of "${service}".`, {
      code: "deploy-unknown",
      hint: near === undefined ? `See: deployd ctl history ${service}` : `Did you mean "${near}"?`,
    });
  });
}

/** All deploys on record, oldest first. */
export async function listDeploys(zk: ZooKeeper, service: string): Promise<{ id: string; record: DeployRecord }[]> {
  return attempting(`Cannot list the deploys of "${service}"`, async () => {
    const ids = await childrenOf(zk, deploysPath(service));
    const found = await Promise.all(
      ids.map(async (id) => ({ id, found: await readRecord(zk, deployPath(service, id), deployRecordSchema) })),
    );
    return found
      .flatMap(({ id, found }) => (found === null ? [] : [{ id, record: found.value, czxid: found.czxid }]))
      .toSorted((a, b) => (a.czxid < b.czxid ? -1 : 1));
  });
}

/**
 * The build that a new deploy would go back to: the one the fleet is meant to serve, unless that one's own deploy came
 * to nothing, in which case what was good before it is still good.
 */
export async function lastGoodBuild(zk: ZooKeeper, service: string, front: DeployFront): Promise<string | null> {
  const wish = front.enabled.value;
  if (wish === null) return front.problems.length === 0 ? null : servedBefore(front.latest?.record ?? null);
  if (wish.deploy === undefined) return wish.build;
  const found = await readRecord(zk, deployPath(service, wish.deploy), deployRecordSchema);
  if (found === null) return wish.build;
  switch (found.value.state) {
    case "halted":
    case "aborted":
      return found.value.stage === "fleet" ? found.value.previous : wish.build;
    default:
      return wish.build;
  }
}

/** What the fleet served before somebody overwrote the wish that said so. */
export function servedBefore(latest: DeployRecord | null): string | null {
  if (latest === null) return null;
  return latest.state === "done" ? latest.build : latest.previous;
}

/** @throws DeployError `deploy-running` when one deploy is still under way */
export function assertNoneRunning(service: string, front: DeployFront, build: string): void {
  const { latest } = front;
  if (latest === null || !isRunning(latest.record)) return;
  const { id, record } = latest;
  throw new DeployError(
    `Cannot deploy "${build}" to "${service}": deploy ${id} of "${record.build}" by ${record.who} is ${record.state}.`,
    { code: "deploy-running", hint: howToEnd(service, record, build) },
  );
}

function howToEnd(service: string, record: RunningDeploy, build: string): string {
  switch (record.state) {
    case "awaiting promotion":
      if (record.build === build)
        return `It is on the canary hosts already; take it to the fleet with: deployd ctl promote ${service}`;
      return `One deploy at a time: wait for it, or end it with: deployd ctl promote|rollback ${service}`;
    case "rolling back":
      // There is nothing to take back; where the build that it goes back to is ill as well it would never end.
      return (
        `One deploy at a time: wait for it (deployd ctl wait ${service}). Where "${record.rollback.to}" is bad as well ` +
        `it may never end: then write ${build} into services/${service}/enabled of deployd's tree in ZooKeeper.`
      );
    case "preparing":
    case "canary":
    case "rolling":
      return `One deploy at a time: wait for it, or end it with: deployd ctl rollback ${service}`;
  }
}
