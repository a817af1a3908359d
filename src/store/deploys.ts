import { buildWanted, isOnCanaries, isRunning } from "../core/deploy_state.ts";
import { DeployError, isDeployError } from "../core/errors.ts";
import { deployRecordSchema, type DeployRecord } from "../schema/deploy_record.ts";
import { nearest } from "../schema/problems.ts";
import {
  buildRecordSchema,
  deploysPointerSchema,
  wishSchema,
  type DeploysPointer,
  type Wish,
} from "../schema/znodes.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { attempting } from "./errors.ts";
import { buildPath, buildsPath, canaryPath, deployPath, deploysPath, enabledPath } from "./paths.ts";
import { childrenOf, readChildren, readDamaged, readRecord, type Versioned } from "./records.ts";

/** The newest deploy of a service and the records that it depends on, read for a change by compare-and-set. */
export interface ServiceHead {
  readonly pointer: Versioned<DeploysPointer>;
  readonly latest: { readonly id: string; readonly record: DeployRecord; readonly version: number } | null;
  readonly enabled: Versioned<Wish | null>;
  readonly canary: Versioned<Wish | null> | null;
  /** What is wrong with the wishes that cannot be read; the next deploy replaces them. */
  readonly problems: readonly string[];
  /** What is wrong with the record that names the newest deploy; the newest existing deploy is used instead. */
  readonly pointerProblem: string | null;
  /** The newest deploy exists but cannot be read: whether it is under way is not known, and `latest` is null. */
  readonly damaged: DeployError | null;
}

export async function readHead(zk: ZooKeeper, service: string): Promise<ServiceHead> {
  return attempting(`Cannot read the deploys of "${service}"`, async () => {
    const [pointer, enabled, canary] = await Promise.all([
      readDamaged(zk, deploysPath(service), deploysPointerSchema),
      readDamaged(zk, enabledPath(service), wishSchema),
      readDamaged(zk, canaryPath(service), wishSchema),
    ]);
    if (pointer === null || enabled === null) {
      throw incompleteTree(service);
    }
    const value = pointer.value ?? { latest: null, number: 0 };
    const problems = [enabled.problem, canary?.problem].filter((problem) => problem !== undefined);
    const rest = { pointer: { ...pointer, value }, enabled, canary, problems };
    return { ...rest, ...(await readLatest(zk, service, value.latest, pointer.problem ?? null)) };
  });
}

/** The error for a missing node that should hold the wish or name the newest deploy. */
export function incompleteTree(service: string): DeployError {
  return new DeployError(`The tree of "${service}" in ZooKeeper is incomplete.`, {
    code: "zookeeper-data-invalid",
    hint: `Create the missing nodes with: deployd ctl services set ${service}`,
  });
}

async function readLatest(
  zk: ZooKeeper,
  service: string,
  id: string | null,
  pointerProblem: string | null,
): Promise<Pick<ServiceHead, "latest" | "pointerProblem" | "damaged">> {
  if (id === null && pointerProblem === null) return { latest: null, pointerProblem, damaged: null };
  try {
    const found = id === null ? null : await readRecord(zk, deployPath(service, id), deployRecordSchema);
    if (id !== null && found !== null)
      return { latest: { id, record: found.value, version: found.version }, pointerProblem, damaged: null };
  } catch (error) {
    if (!isDeployError(error) || error.code !== "zookeeper-data-invalid") throw error;
    return { latest: null, pointerProblem, damaged: damagedDeploy(service, id ?? "", error) };
  }
  const newest = (await listDeploys(zk, service)).at(-1) ?? null;
  return { latest: newest, pointerProblem: pointerProblem ?? newestIsGone(id ?? ""), damaged: null };
}

export function newestIsGone(id: string): string {
  return `The record of deploy ${id}, the newest, is gone from ZooKeeper.`;
}

export function damagedDeploy(service: string, id: string, { message }: DeployError): DeployError {
  return new DeployError(message, {
    code: "zookeeper-data-invalid",
    hint:
      `Whether deploy ${id} is under way is not known, so no other deploy is started. Correct that node, or remove it with all ` +
      `below it: zkCli.sh -server HOST:PORT deleteall CHROOT${deployPath(service, id)}`,
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

/** All deploys on record that can be read, oldest first. */
export async function listDeploys(
  zk: ZooKeeper,
  service: string,
  onProblem: (problem: string) => void = () => {},
): Promise<(Omit<Versioned<never>, "value"> & { readonly id: string; readonly record: DeployRecord })[]> {
  return attempting(`Cannot list the deploys of "${service}"`, async () => {
    return [...(await readChildren(zk, deploysPath(service), deployRecordSchema, onProblem))]
      .map(([id, found]) => ({ ...found, id, record: found.value }))
      .toSorted((a, b) => (a.czxid < b.czxid ? -1 : 1));
  });
}

/** What a new deploy of `build` finds: what it goes back to, and what the hosts serve that it has not reached. */
export async function foundBy(
  zk: ZooKeeper,
  service: string,
  head: ServiceHead,
  build: string,
): Promise<Pick<DeployRecord, "previous" | "before">> {
  const good = await lastGood(zk, service, head);
  const before = good?.deploy === undefined ? null : { build: good.build, deploy: good.deploy };
  return { previous: await inheritedFrom(zk, service, build, good?.build ?? null), before };
}

/**
 * The build that a deploy of `build` goes back to; null where there is none. A build that is deployed again, as by a
 * repeated CI job, keeps the build to go back to that it had: it cannot go back to itself.
 *
 * @param good the last build that was good before this deploy
 */
export async function inheritedFrom(
  zk: ZooKeeper,
  service: string,
  build: string,
  good: string | null,
): Promise<string | null> {
  if (good !== build) return good;
  const [deploys, builds] = await Promise.all([listDeploys(zk, service), childrenOf(zk, buildsPath(service))]);
  // A build that was removed meanwhile cannot be gone back to.
  const there = new Set(builds);
  const last = deploys.findLast(
    ({ record: { build: other, previous } }) =>
      other === build && previous !== null && previous !== build && there.has(previous),
  );
  return last?.record.previous ?? null;
}

/** A build that the fleet served; `deploy` is missing where nobody knows which one brought it there. */
interface Good {
  readonly build: string;
  readonly deploy?: string;
}

/**
 * The last good build before a new deploy: the one the fleet is meant to serve, unless that one's own deploy failed, in
 * which case the build before it is still the last good one.
 */
async function lastGood(zk: ZooKeeper, service: string, head: ServiceHead): Promise<Good | null> {
  const wish = head.enabled.value;
  const overwritten = (): Good | null => goodOf(servedBefore(head.latest?.record ?? null));
  if (wish === null) return head.problems.length === 0 ? null : overwritten();
  const { build, deploy } = wish;
  if (deploy === undefined) {
    // A wish written by hand for a build that is barred or missing is followed by no host: what was served before still
    // is.
    const record = await readRecord(zk, buildPath(service, build), buildRecordSchema).catch(() => null);
    const isFollowed = record !== null && record.value.barred === undefined;
    return isFollowed ? { build } : overwritten();
  }
  const found = await readRecord(zk, deployPath(service, deploy), deployRecordSchema);
  if (found === null) return { build };
  const { state, previous, before } = found.value;
  // Nor has one shown that its build is good that an urgent deploy overtakes.
  const hasFailed = state === "halted" || state === "aborted" || isRunning(found.value);
  if (!hasFailed) return { build, deploy };
  if (isOnCanaries(found.value)) return { build, deploy };
  return (await settledBefore(zk, service, deploy)) ?? before ?? goodOf(previous);
}

function goodOf(build: string | null): Good | null {
  return build === null ? null : { build };
}

/** What the fleet was left with by the last earlier deploy to it that was completed; null where none is on record. */
async function settledBefore(zk: ZooKeeper, service: string, deploy: string): Promise<Good | null> {
  const all = await listDeploys(zk, service);
  const earlier = all.slice(
    0,
    all.findIndex(({ id }) => id === deploy),
  );
  const settled = earlier.findLast(
    ({ record }) => !isOnCanaries(record) && (record.state === "done" || record.state === "rolled back"),
  );
  return settled === undefined ? null : { build: buildWanted(settled.record), deploy: settled.id };
}

/** What the fleet served before somebody overwrote its wish. */
export function servedBefore(latest: DeployRecord | null): string | null {
  if (latest === null) return null;
  return latest.state === "done" ? latest.build : latest.previous;
}
