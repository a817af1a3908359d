import { targetFor, wishFor, type Wishes, type Target } from "../core/targets.ts";
import type { Journal } from "../schema/journal.ts";
import { isFromBefore, isOlder, nothingFollowed, numberOf, wishNode, type WishNode } from "../core/wish_order.ts";
import { deployRecordSchema, type DeployRecord } from "../schema/deploy_record.ts";
import {
  buildRecordSchema,
  deploysPointerSchema,
  hostRecordSchema,
  wishSchema,
  type BuildRecord,
  type HostStatus,
  type Role,
} from "../schema/znodes.ts";
import type { Clock } from "../support/clock.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import {
  buildPath,
  canaryPath,
  deployPath,
  deploysPath,
  enabledPath,
  hostPath,
  servicePath,
  statusPath,
} from "./paths.ts";
import { ensurePath, readRecord } from "./records.ts";
import { registerHost } from "./registry.ts";

type Held = NonNullable<HostStatus["held"]>;

/** What ZooKeeper says to one host about one service, read consistently. */
export interface WishSnapshot {
  readonly target: Target;
  /** The place and number of the wish that is followed, for the host to remember; null where none is. */
  readonly order: { readonly node: WishNode; readonly number: number } | null;
  /** A wish that is older than what the host has followed. The host keeps to the latter, which is then the target. */
  readonly held: Held | null;
  readonly role: Role;
  /** The record of the target's build; null when there is no target or its build is not in ZooKeeper. */
  readonly build: BuildRecord | null;
  readonly deploy: DeployRecord | null;
  /** What prevents the host from following its wish, for people; empty when nothing does. */
  readonly problem: string;
  readonly readAtMs: number;
}

export const unreadSnapshot: WishSnapshot = {
  target: { kind: "unknown" },
  order: null,
  held: null,
  role: "fleet",
  build: null,
  deploy: null,
  problem: "ZooKeeper has not been read yet",
  readAtMs: 0,
};

export interface WishReader {
  readonly service: string;
  readonly host: string;
  readonly zone?: string | undefined;
  readonly clock: Clock;
  /** What the host has followed so far, and which wish it is working on. */
  readonly remembered: () => Pick<Journal, "followed" | "attempt">;
  /** Called with the text of the host's status node. */
  readonly onStatus?: (text: string) => void;
}

interface Reading {
  /** Called when something that was read may have changed. */
  readonly watch: () => void;
  readonly signal: AbortSignal;
}

/** @param builds records that were read before, kept until their watch reports a change of their URL or bar */
export async function readWish(
  zk: ZooKeeper,
  reader: WishReader,
  builds: Map<string, BuildRecord>,
  options: Reading,
): Promise<WishSnapshot> {
  const { service, clock } = reader;
  if ((await zk.exists(servicePath(service), options)) === null) {
    return {
      ...unreadSnapshot,
      target: { kind: "none" },
      problem: `the service "${service}" is not in ZooKeeper yet; make it with: deployd ctl services set ${service}`,
      readAtMs: clock.now(),
    };
  }
  const role = await readRole(zk, reader, options);
  const enabled = await readRecord(zk, enabledPath(service), wishSchema, options);
  const canary = role === "canary" ? await readRecord(zk, canaryPath(service), wishSchema, options) : null;
  const wishes = { enabled: enabled?.value ?? null, canary: canary?.value ?? null };
  const { target, order, held } = await weigh(zk, reader, role, wishes, options);
  const seen = { target, order, held, role, readAtMs: clock.now() };
  const olderWish = held === null ? "" : whyHeld(service, held);
  if (target.kind !== "build") {
    const wish = wishFor(role, wishes);
    const byHand = wish === null ? "" : `the wish for "${wish.build}" names no deploy; the conductor will give it one`;
    return { ...unreadSnapshot, ...seen, problem: olderWish || byHand };
  }
  const build = builds.get(target.build) ?? (await readBuildRecord(zk, service, target.build, builds, options));
  if (build !== null) builds.set(target.build, build);
  const deploy = await readRecord(zk, deployPath(service, target.deploy), deployRecordSchema, {
    signal: options.signal,
  });
  const noBuild = build === null ? `the wished build "${target.build}" is not in ZooKeeper` : "";
  return { ...seen, build, deploy: deploy?.value ?? null, problem: olderWish || noBuild };
}

async function readRole(zk: ZooKeeper, reader: WishReader, options: Reading): Promise<Role> {
  const { service, host, zone } = reader;
  let record = await readRecord(zk, hostPath(service, host), hostRecordSchema, options);
  if (record === null) {
    await registerHost(zk, service, host, zone);
    record = await readRecord(zk, hostPath(service, host), hostRecordSchema, options);
  }
  await lookAtStatus(zk, reader, options);
  return record?.value.role ?? "fleet";
}

/** Only the host itself writes its status: whatever somebody else wrote there is reported and overwritten. */
async function lookAtStatus(
  zk: ZooKeeper,
  { service, host, onStatus }: WishReader,
  { signal }: Reading,
): Promise<void> {
  try {
    const { data } = await zk.get(statusPath(service, host), { signal });
    onStatus?.(new TextDecoder().decode(data));
  } catch (error) {
    if (!isZooKeeperError(error, "NO_NODE")) throw error;
    await ensurePath(zk, statusPath(service, host));
    onStatus?.("");
  }
}

/** What a host of this role follows: the wish or, where that is older than what the host has followed, the latter. */
async function weigh(
  zk: ZooKeeper,
  { service, remembered }: WishReader,
  role: Role,
  wishes: Wishes,
  { signal }: Reading,
): Promise<Pick<WishSnapshot, "target" | "order" | "held">> {
  const target = targetFor(role, wishes);
  const wish = wishFor(role, wishes);
  if (target.kind !== "build" || wish === null) return { target, order: null, held: null };
  const { followed = nothingFollowed, attempt } = remembered();
  const order = { node: wishNode(role, wishes), number: numberOf(wish) };
  // What the host is already working on needs no confirmation.
  if (attempt?.deploy === target.deploy && attempt.build === target.build) return { target, order, held: null };
  let older = isOlder(order.node, wish, followed);
  if (older === "unsure") older = isFromBefore(await newestNumber(zk, service, signal), followed);
  if (!older) return { target, order, held: null };
  const { build, deploy } = target;
  return {
    target: attempt === null ? { kind: "none" } : { kind: "build", build: attempt.build, deploy: attempt.deploy },
    order: null,
    held: { build, deploy, number: order.number },
  };
}

async function newestNumber(zk: ZooKeeper, service: string, signal: AbortSignal): Promise<number> {
  return (await readRecord(zk, deploysPath(service), deploysPointerSchema, { signal }))?.value.number ?? 0;
}

function whyHeld(service: string, { build, deploy, number }: Held): string {
  return (
    `the wish for "${build}" (deploy ${deploy}, number ${number}) is older than what this host has followed, as in a ZooKeeper ` +
    `that was restored from a backup: it is held; to make hosts follow it: deployd ctl services accept ${service}`
  );
}

async function readBuildRecord(
  zk: ZooKeeper,
  service: string,
  build: string,
  builds: Map<string, BuildRecord>,
  { watch, signal }: Reading,
): Promise<BuildRecord | null> {
  const changed = (): void => {
    builds.delete(build);
    watch();
  };
  return (
    (await readRecord(zk, buildPath(service, build), buildRecordSchema, { watch: changed, signal }))?.value ?? null
  );
}
