import { nextNumber } from "../core/wish_order.ts";
import type { DeployRecord } from "../schema/deploy_record.ts";
import type { HostStatus, Wish } from "../schema/znodes.ts";
import { op, type Op, type ZooKeeper } from "../zookeeper/client.ts";
import { readHead, type ServiceHead } from "./deploys.ts";
import { attempting } from "./errors.ts";
import { ServiceMirror } from "./mirror.ts";
import { canaryPath, deploysPath, enabledPath } from "./paths.ts";
import { encode } from "./records.ts";

/**
 * Writes wishes that a person has asked for, with a number that is higher than what any host has followed, also in a tree
 * that was restored from a backup. A deploy to the fleet includes the canary hosts: they follow `enabled` again.
 */
export async function wishOps(
  zk: ZooKeeper,
  service: string,
  { pointer, enabled, canary }: ServiceHead,
  stage: DeployRecord["stage"],
  wish: { build: string; deploy: string },
): Promise<Op[]> {
  const { statuses } = await ServiceMirror.look(zk, service, ["statuses"]);
  const number = nextNumber(pointer.value.number, followedOf(statuses));
  const data = encode({ ...wish, number, hosts: statuses.size } satisfies Wish);
  const ops = [
    op.set(deploysPath(service), encode({ ...pointer.value, latest: wish.deploy, number }), pointer.version),
  ];
  if (stage === "fleet") {
    ops.push(op.set(enabledPath(service), data, enabled.version));
    if (canary !== null) ops.push(op.delete(canaryPath(service), canary.version));
  } else {
    ops.push(
      canary === null ? op.create(canaryPath(service), data) : op.set(canaryPath(service), data, canary.version),
    );
  }
  return ops;
}

/** What `acceptWishes` has done. */
export interface Accepted {
  /** Hosts that held a wish. */
  readonly hosts: readonly string[];
  /**
   * The builds that are wished; they stay the same. Wishes written by hand are left out: they have no number yet, and get
   * one from the conductor.
   */
  readonly builds: readonly string[];
}

/**
 * Makes hosts follow the wishes that they hold: the wishes as they stand get a number that is higher than what any host
 * has followed. Where no host holds a wish, nothing is changed.
 *
 * @throws DeployError `conflict` when somebody changed the wish meanwhile
 */
export async function acceptWishes(zk: ZooKeeper, service: string): Promise<Accepted> {
  const attempted = `Cannot accept what is wished of "${service}"`;
  const [head, { statuses }] = await Promise.all([
    readHead(zk, service),
    ServiceMirror.look(zk, service, ["statuses"]),
  ]);
  const hosts = [...statuses].filter(([, { held }]) => held !== undefined).map(([host]) => host);
  if (hosts.length === 0) return { hosts, builds: [] };
  const { pointer, enabled, canary } = head;
  const number = nextNumber(pointer.value.number, followedOf(statuses));
  // Where the pointer cannot be read this replaces it, and a deploy under way must not get lost by that.
  const latest = head.latest?.id ?? pointer.value.latest;
  const ops = [op.set(deploysPath(service), encode({ ...pointer.value, latest, number }), pointer.version)];
  const builds = new Set<string>();
  for (const [path, node] of [
    [enabledPath(service), enabled],
    [canaryPath(service), canary],
  ] as const) {
    const wish = node?.value ?? null;
    if (node === null || wish?.deploy === undefined) continue;
    builds.add(wish.build);
    ops.push(op.set(path, encode({ ...wish, number }), node.version));
  }
  await attempting(attempted, () => zk.multi(ops));
  return { hosts: hosts.toSorted(), builds: [...builds] };
}

function* followedOf(statuses: ReadonlyMap<string, HostStatus>): Iterable<number> {
  for (const { followed } of statuses.values()) yield followed ?? 0;
}
