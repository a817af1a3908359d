import { targetFor, wishFor } from "../core/targets.ts";
import type { Target } from "../core/types.ts";
import { deployRecordSchema, type DeployRecord } from "../schema/deploy_record.ts";
import { buildRecordSchema, hostRecordSchema, wishSchema, type BuildRecord, type Role } from "../schema/znodes.ts";
import { Bell } from "../support/bell.ts";
import type { Clock } from "../support/clock.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import type { Session } from "../zookeeper/session.ts";
import type { FormatGate } from "./format.ts";
import { buildPath, canaryPath, deployPath, enabledPath, hostPath, servicePath, statusPath } from "./paths.ts";
import { ensurePath, readRecord } from "./records.ts";
import { registerHost } from "./registry.ts";

/** What ZooKeeper says to one host about one service, read as one. */
export interface WishSnapshot {
  readonly target: Target;
  readonly role: Role;
  /** Of the target's build; null when there is no target or its build is not in ZooKeeper. */
  readonly build: BuildRecord | null;
  readonly deploy: DeployRecord | null;
  /** What keeps the host from following, for people; empty when nothing does. */
  readonly problem: string;
  readonly readAtMs: number;
}

export const unreadSnapshot: WishSnapshot = {
  target: { kind: "unknown" },
  role: "fleet",
  build: null,
  deploy: null,
  problem: "ZooKeeper has not been read yet",
  readAtMs: 0,
};

/** A watch can be lost in ways nobody has thought of; reading again now and then costs a handful of requests. */
const PERIODIC_READ_MS = 30_000;
const RETRY_MS = 1_000;

export interface FollowOptions {
  readonly session: Session;
  readonly format: FormatGate;
  readonly service: string;
  readonly host: string;
  readonly zone?: string | undefined;
  readonly clock: Clock;
  readonly onSnapshot: (snapshot: WishSnapshot) => void;
  readonly onProblem: (error: unknown) => void;
}

/**
 * Follows one host's wish for one service until the signal is aborted: reads on every watch event, on every new session
 * and now and then, and hands over each snapshot. A read that fails leaves the last snapshot standing. While the tree is
 * one that this deployd does not understand, there is nothing to follow, and the snapshot says why.
 */
export async function followWish(options: FollowOptions, signal: AbortSignal): Promise<void> {
  const { session, format } = options;
  const bell = new Bell(options.clock);
  const stopEpoch = session.onEpoch(bell.ring);
  const stopState = session.onState((state) => {
    if (state.kind === "connected") bell.ring();
  });
  const stopFormat = format.onChange(bell.ring);
  const builds = new Map<string, BuildRecord>();
  let epoch = -1;
  try {
    bell.ring();
    let waitMs = PERIODIC_READ_MS;
    while (!signal.aborted) {
      await bell.wait(waitMs, signal);
      if (signal.aborted) break;
      if (!format.isKnown) {
        const { problem } = format;
        if (problem !== null) options.onSnapshot({ ...unreadSnapshot, problem: problem.explained });
        continue;
      }
      const before = session.epoch;
      try {
        // Another server may answer the new session and lag behind: an older wish must never be followed again.
        if (before !== epoch) await session.client.sync("/", { signal });
        const snapshot = await readWish(session.client, options, builds, bell.ring, signal);
        epoch = before;
        waitMs = PERIODIC_READ_MS;
        // ZooKeeper tells of a change before it answers from after it: what was read in parts was not so at any one time.
        if (!bell.isRung) options.onSnapshot(snapshot);
      } catch (error) {
        if (!signal.aborted) options.onProblem(error);
        waitMs = RETRY_MS;
      }
    }
  } finally {
    stopFormat();
    stopEpoch();
    stopState();
  }
}

async function readWish(
  zk: ZooKeeper,
  { service, host, zone, clock }: FollowOptions,
  builds: Map<string, BuildRecord>,
  watch: () => void,
  signal: AbortSignal,
): Promise<WishSnapshot> {
  if ((await zk.exists(servicePath(service), { watch, signal })) === null) {
    return {
      ...unreadSnapshot,
      target: { kind: "none" },
      problem: `the service "${service}" is not in ZooKeeper yet; make it with: deployd ctl services set ${service}`,
      readAtMs: clock.now(),
    };
  }
  let record = await readRecord(zk, hostPath(service, host), hostRecordSchema, { watch, signal });
  if (record === null) {
    await registerHost(zk, service, host, zone);
    record = await readRecord(zk, hostPath(service, host), hostRecordSchema, { watch, signal });
  }
  if ((await zk.exists(statusPath(service, host), { signal })) === null)
    await ensurePath(zk, statusPath(service, host));
  const role = record?.value.role ?? "fleet";
  const enabled = await readRecord(zk, enabledPath(service), wishSchema, { watch, signal });
  const canary = role === "canary" ? await readRecord(zk, canaryPath(service), wishSchema, { watch, signal }) : null;
  const wishes = { enabled: enabled?.value ?? null, canary: canary?.value ?? null };
  const target = targetFor(role, wishes);
  if (target.kind !== "build") {
    const wish = wishFor(role, wishes);
    const problem = wish === null ? "" : `the wish for "${wish.build}" names no deploy; the conductor will give it one`;
    return { target, role, build: null, deploy: null, problem, readAtMs: clock.now() };
  }
  const build = builds.get(target.build) ?? (await readBuildRecord(zk, service, target.build, watch, signal));
  if (build !== null) builds.set(target.build, build);
  const deploy = await readRecord(zk, deployPath(service, target.deploy), deployRecordSchema, { signal });
  const problem = build === null ? `the wished build "${target.build}" is not in ZooKeeper` : "";
  return { target, role, build, deploy: deploy?.value ?? null, problem, readAtMs: clock.now() };
}

async function readBuildRecord(
  zk: ZooKeeper,
  service: string,
  build: string,
  watch: () => void,
  signal: AbortSignal,
): Promise<BuildRecord | null> {
  return (await readRecord(zk, buildPath(service, build), buildRecordSchema, { watch, signal }))?.value ?? null;
}
