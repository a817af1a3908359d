import { nextNumber } from "../core/wish_order.ts";
import { buildWanted, goesBack, isInLastStage, isOnCanaries } from "../core/deploy_state.ts";
import type { DeployRecord } from "../schema/deploy_record.ts";
import type { DeploysPointer, HostStatus, Wish } from "../schema/znodes.ts";
import { op, type Op, type ZooKeeper } from "../zookeeper/client.ts";
import { readHead } from "./deploys.ts";
import { attempting } from "./errors.ts";
import { ServiceMirror } from "./mirror.ts";
import { canaryPath, deploysPath, enabledPath } from "./paths.ts";
import { encode, type Versioned } from "./records.ts";

/** The nodes that a wish is written to, as they were read. */
export interface WishNodes {
  readonly pointer: Pick<Versioned<DeploysPointer>, "value" | "version">;
  readonly enabled: Pick<Versioned<unknown>, "version">;
  readonly canary: Pick<Versioned<unknown>, "version"> | null;
}

/** What is wished of the hosts of a deploy. */
export type NewWish = Pick<Wish, "build" | "reach" | "before" | "again" | "restarts"> & { readonly deploy: string };

/**
 * The operations that write a wish, with a number that is higher than what any host has followed, also in a tree that was
 * restored from a backup. A deploy to the fleet includes the canary hosts: they follow `enabled` again.
 */
export function wishOps(
  service: string,
  { pointer, enabled, canary }: WishNodes,
  to: "canary" | "fleet",
  wish: NewWish,
  statuses: ReadonlyMap<string, HostStatus>,
): Op[] {
  const number = nextNumber(pointer.value.number, followedOf(statuses));
  const data = encode({ ...wish, number, hosts: statuses.size } satisfies Wish);
  const ops = [
    op.set(deploysPath(service), encode({ ...pointer.value, latest: wish.deploy, number }), pointer.version),
  ];
  if (to === "fleet") {
    ops.push(op.set(enabledPath(service), data, enabled.version));
    if (canary !== null) ops.push(op.delete(canaryPath(service), canary.version));
  } else {
    ops.push(
      canary === null ? op.create(canaryPath(service), data) : op.set(canaryPath(service), data, canary.version),
    );
  }
  return ops;
}

/** What a deploy wishes of its hosts as its record stands. */
export function wishOf(id: string, record: DeployRecord): { readonly to: "canary" | "fleet"; readonly wish: NewWish } {
  const { before, again, reach } = record;
  const restarts = record.restarts === true && !goesBack(record) ? { restarts: true } : {};
  const tries = { ...(again === 0 ? {} : { again }), ...restarts };
  const build = buildWanted(record);
  if (isOnCanaries(record)) return { to: "canary", wish: { build, deploy: id, ...tries } };
  // Everybody goes back, and a deploy in its last stage is everybody's.
  const isAll = goesBack(record) || isInLastStage(record) || reach === undefined;
  return { to: "fleet", wish: { build, deploy: id, ...tries, ...(isAll ? {} : { reach, before }) } };
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
