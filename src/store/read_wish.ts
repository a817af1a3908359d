import { nextFor, targetFor, wishFor, type Subject, type Target, type Wishes } from "../core/targets.ts";
import type { Journal } from "../schema/journal.ts";
import { hasLeft, leaveIn, type Leave } from "../core/leaving.ts";
import { followedBy } from "../core/journal_former.ts";
import { isFromBefore, isOlder, numberOf, wishNode, type WishNode } from "../core/wish_order.ts";
import { deployRecordSchema, type DeployRecord } from "../schema/deploy_record.ts";
import {
  buildRecordSchema,
  deploysPointerSchema,
  hostRecordSchema,
  serviceSettingsSchema,
  wishSchema,
  type BuildRecord,
  type HostRecord,
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
import type { Node } from "./read_nodes.ts";
import { encode, ensurePath, isDamaged, readRecord, valueIn } from "./records.ts";
import { registerHost } from "./registry.ts";
import type { WatchedNodes } from "./watched_nodes.ts";

type Held = NonNullable<HostStatus["held"]>;

/** What ZooKeeper says to one host about one service, read consistently. */
export interface WishSnapshot {
  readonly target: Target;
  /** The place and number of the wish that is followed, for the host to remember; null where none is. */
  readonly order: { readonly node: WishNode; readonly number: number } | null;
  /** A wish that is older than what the host has followed. The host keeps to the latter, which is then the target. */
  readonly held: Held | null;
  /** Whether the host is to leave the fleet. */
  readonly leave: Leave;
  readonly role: Role;
  readonly zone: string | undefined;
  /**
   * A build that the host is to have ready beside what it serves: its deploy has not reached the host yet, or a person has
   * staged it.
   */
  readonly ready: { readonly build: string; readonly deploy: string; readonly record: BuildRecord } | null;
  /** How many times the wished deploy was tried again. */
  readonly again: number;
  /** The wish is to restart what runs, also where that is its build already. */
  readonly restarts: boolean;
  /** The record of the target's build; null when there is no target or its build is not in ZooKeeper. */
  readonly build: BuildRecord | null;
  readonly deploy: DeployRecord | null;
  /** What prevents the host from following its wish, for people; empty when nothing does. */
  readonly problem: string;
  /** How many hosts the service had when it was wished; 0 where that is not known. */
  readonly fleet: number;
  readonly readAtMs: number;
}

export const unreadSnapshot: WishSnapshot = {
  target: { kind: "unknown" },
  order: null,
  held: null,
  leave: { kind: "unknown" },
  role: "fleet",
  zone: undefined,
  ready: null,
  again: 0,
  restarts: false,
  build: null,
  deploy: null,
  problem: "ZooKeeper has not been read yet",
  fleet: 0,
  readAtMs: 0,
};

export interface WishReader {
  readonly service: string;
  readonly host: string;
  readonly zone?: string | undefined;
  readonly clock: Clock;
  /** What the host has followed so far, and which wish it is working on. */
  readonly remembered: () => Pick<Journal, "followed" | "former" | "attempt" | "leaving">;
  /** Called with the text of the host's status node, and awaited before the wish is weighed. */
  readonly onStatus?: (text: string) => Promise<void> | void;
}

/** What a wish is read with. */
export interface WishReading {
  readonly zk: ZooKeeper;
  readonly nodes: WatchedNodes;
  readonly signal: AbortSignal;
  /** Everything is read again, also what nothing has changed of as far as is known. */
  readonly isThorough: boolean;
}

/**
 * Reads what a host is wished to serve: of the nodes that are watched only those that were changed. For a new wish these
 * are three: the wish, its build, and its deploy's record.
 */
export async function readWish(reader: WishReader, reading: WishReading): Promise<WishSnapshot> {
  const { service, clock } = reader;
  const { nodes, signal } = reading;
  if (reading.isThorough) nodes.doubt();
  const settings = await nodes.read(servicePath(service), signal);
  if (settings === null) {
    return {
      ...unreadSnapshot,
      target: { kind: "none" },
      problem: `the service "${service}" is not in ZooKeeper yet; make it with: deployd ctl services set ${service}`,
      readAtMs: clock.now(),
    };
  }
  const record = await readHost(reader, reading);
  const leave = leaveIn(record, reader.remembered());
  if (record === null) {
    nodes.keepOnly(new Set([servicePath(service), hostPath(service, reader.host)]));
    return { ...unreadSnapshot, target: { kind: "none" }, leave, problem: "", readAtMs: clock.now() };
  }
  const { role, zone } = record;
  const subject = { host: reader.host, role, zone };
  const enabled = valueIn(await nodes.read(enabledPath(service), signal), enabledPath(service), wishSchema);
  const isCanary = role === "canary";
  const canary = isCanary
    ? valueIn(await nodes.read(canaryPath(service), signal), canaryPath(service), wishSchema)
    : null;
  const wishes = { enabled, canary };
  const { target, order, held } = await weigh(reader, subject, wishes, reading);
  const wish = wishFor(role, wishes);
  const fleet = wish?.hosts ?? 0;
  const again = wish?.again ?? 0;
  // Only those that the deploy has reached.
  const restarts = wish?.restarts === true && target.kind === "build" && target.deploy === wish.deploy;
  const seen = { target, order, held, leave, role, zone, again, restarts, fleet, readAtMs: clock.now() };
  const olderWish = held === null ? "" : whyHeld(service, held);
  const watched = [servicePath(service), hostPath(service, reader.host), enabledPath(service)];
  if (isCanary) watched.push(canaryPath(service));
  const next = held === null ? (nextFor(subject, wishes) ?? stagedIn(settings, service)) : null;
  const isNew = next !== null && (target.kind !== "build" || target.build !== next.build);
  if (isNew) watched.push(buildPath(service, next.build));
  const ready = isNew ? await readyFrom(service, next, reading) : null;
  if (target.kind !== "build") {
    nodes.keepOnly(new Set(watched));
    const byHand = wish === null ? "" : `the wish for "${wish.build}" names no deploy; the conductor will give it one`;
    return { ...unreadSnapshot, ...seen, ready, problem: olderWish || byHand };
  }
  const path = buildPath(service, target.build);
  nodes.keepOnly(new Set([...watched, path]));
  const build = valueIn(await nodes.read(path, signal), path, buildRecordSchema);
  const deploy = await readRecord(reading.zk, deployPath(service, target.deploy), deployRecordSchema, { signal });
  const noBuild = build === null ? `the wished build "${target.build}" is not in ZooKeeper` : "";
  return { ...seen, ready, build, deploy: deploy?.value ?? null, problem: olderWish || noBuild };
}

/** Nobody has to have a build that is barred, or that was removed. */
async function readyFrom(
  service: string,
  next: { readonly build: string; readonly deploy: string },
  { nodes, signal }: WishReading,
): Promise<WishSnapshot["ready"]> {
  const path = buildPath(service, next.build);
  const record = valueIn(await nodes.read(path, signal), path, buildRecordSchema);
  return record === null || record.barred !== undefined ? null : { ...next, record };
}

/** The build that a person has staged. Settings that cannot be read stage nothing: only people and the conductor need them. */
function stagedIn(node: Node, service: string): { readonly build: string; readonly deploy: string } | null {
  try {
    const staged = valueIn(node, servicePath(service), serviceSettingsSchema)?.staged;
    return staged === undefined ? null : { build: staged.build, deploy: "staged" };
  } catch (error) {
    if (isDamaged(error)) return null;
    throw error;
  }
}

/** The host's record, made where there is none; null for a host that has left, and that somebody has forgotten since. */
async function readHost(
  reader: WishReader,
  { zk, nodes, signal, isThorough }: WishReading,
): Promise<HostRecord | null> {
  const { service, host, zone, remembered } = reader;
  const path = hostPath(service, host);
  let node = await nodes.read(path, signal);
  const isNew = node === null;
  if (isNew && hasLeft(remembered())) return null;
  if (isNew) {
    await registerHost(zk, service, host, zone);
    node = await nodes.read(path, signal);
  }
  const { leaving } = remembered();
  // Where the service was made only now, or the host had been forgotten, there is no node in which it could say how it is.
  if (isThorough || isNew || leaving !== undefined) await lookAtStatus(zk, reader, signal);
  const record = valueIn(node, path, hostRecordSchema) ?? { role: "fleet" };
  if (zone === undefined || record.zone === zone || node === null) return record;
  // It stands elsewhere by now, or whoever had it come back did not know where.
  return sayZone(zk, path, { ...record, zone }, node.stat.version);
}

async function sayZone(zk: ZooKeeper, path: string, record: HostRecord, version: number): Promise<HostRecord> {
  try {
    await zk.set(path, encode(record), version);
  } catch (error) {
    // Somebody else has changed it, and so it is read again.
    if (!isZooKeeperError(error, "BAD_VERSION", "NO_NODE")) throw error;
  }
  return record;
}

/** Only the host itself writes its status: whatever somebody else wrote there is reported and overwritten. */
async function lookAtStatus(
  zk: ZooKeeper,
  { service, host, onStatus }: WishReader,
  signal: AbortSignal,
): Promise<void> {
  let text = "";
  try {
    const { data } = await zk.get(statusPath(service, host), { signal });
    text = new TextDecoder().decode(data);
  } catch (error) {
    if (!isZooKeeperError(error, "NO_NODE")) throw error;
    await ensurePath(zk, statusPath(service, host));
  }
  await onStatus?.(text);
}

/** What a host of this role follows: the wish or, where that is older than what the host has followed, the latter. */
async function weigh(
  { service, remembered }: WishReader,
  subject: Subject,
  wishes: Wishes,
  { zk, signal }: WishReading,
): Promise<Pick<WishSnapshot, "target" | "order" | "held">> {
  const { role } = subject;
  const target = targetFor(subject, wishes);
  const wish = wishFor(role, wishes);
  if (target.kind !== "build" || wish === null) return { target, order: null, held: null };
  const { attempt, ...journal } = remembered();
  const followed = followedBy(journal);
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
