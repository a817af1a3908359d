import { moved } from "../core/deploy.ts";
import { BY_ITSELF, buildWanted, isOnCanaries, reasonOf } from "../core/deploy_state.ts";
import type { GateMove } from "../core/gate.ts";
import { isStop, type DeployStep, type Round } from "../core/rollout.ts";
import type { DeployRecord } from "../schema/deploy_record.ts";
import type { BuildRecord, HostStatus, Wish } from "../schema/znodes.ts";
import { op, type Op, type ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import { gateOp, gateReadAfter, moveOps, type GateRead } from "./gate.ts";
import {
  agentPath,
  buildPath,
  canaryPath,
  deployPath,
  deploysPath,
  enabledPath,
  gatePath,
  statusPath,
} from "./paths.ts";
import { encode, type Versioned } from "./records.ts";
import { wishOf, wishOps, type WishNodes } from "./wishes.ts";

/** How many hosts are moved in one `multi`: with five operations for each it stays far below the limit of 1 MB. */
const MOST_HOSTS = 200;

/** What a round rests on, with the versions that were read. */
export interface RoundBasis {
  readonly gate: GateRead;
  readonly heeded: readonly HeededService[];
  /** The version of the node above the deploys, which every new deploy changes. */
  readonly deploysVersion: number;
  readonly statuses: ReadonlyMap<string, HostStatus>;
  readonly statusNodes: ReadonlyMap<string, { readonly version: number }>;
  readonly builds: ReadonlyMap<string, Pick<Versioned<BuildRecord>, "value" | "version">>;
  /** The node above the deploys; null where it does not exist. */
  readonly pointer: WishNodes["pointer"] | null;
  readonly wishNodes: {
    readonly enabled: Versioned<Wish | null> | null;
    readonly canary: Versioned<Wish | null> | null;
  };
}

/** Another service that a rule looks at, with the versions in which it was read. */
export interface HeededService {
  readonly service: string;
  readonly gateVersion: number;
  readonly deploysVersion: number;
}

/** What came of a round. */
export interface RoundOutcome {
  /** The gate as it stands afterwards, as far as this process has changed it. */
  readonly gate: GateRead;
  /** The hosts whose change was written. */
  readonly moved: readonly string[];
  /** The deploys whose record was written. */
  readonly written: ReadonlyMap<string, DeployRecord>;
  /** What had changed since it was read, so that a `multi` was refused and the round ended; null where nothing had. */
  readonly refused: Refused | null;
}

type Refused =
  | { readonly kind: "host"; readonly host: string }
  | { readonly kind: "gate" | "deploys" | "another service" }
  | { readonly kind: "deploy"; readonly deploy: string }
  | { readonly kind: "build"; readonly build: string };

/** An operation, and what has changed where it is refused. */
interface Step {
  readonly op: Op;
  readonly about: Refused;
}

/**
 * Carries out what the conductor has decided: up to 200 hosts in one `multi`, each of which goes through the version of
 * the service's gate and checks what its changes rest on. So of two conductors that have read the same gate one is
 * refused, and everything that it has decided with it.
 *
 * @throws ZooKeeperError when ZooKeeper cannot be reached: what was written then has to be read
 */
export async function carryOut(
  zk: ZooKeeper,
  service: string,
  round: Round,
  basis: RoundBasis,
  now: Date,
): Promise<RoundOutcome> {
  const chunks = chunksOf(round);
  const written = new Map<string, DeployRecord>();
  const moved: string[] = [];
  let { gate, deploysVersion } = basis;
  for (const { moves, steps } of chunks) {
    if (moves.some(({ kind }) => kind === "lose")) await zk.sync("/");
    const changed = recordsAfter(steps, now);
    const wishes = steps.map((step) => wishesAfter(service, step, changed, basis));
    // Whoever writes a wish changes the node above the deploys.
    deploysVersion += wishes.filter((ops) => ops.some(({ path }) => path === deploysPath(service))).length;
    const ops = [
      { op: gateOp(service, gate), about: { kind: "gate" } as const },
      ...deployOps(service, steps, changed, wishes),
      ...grantChecks(service, moves, { ...basis, deploysVersion }, new Set(changed.keys())),
      ...moves.flatMap((move) => hostSteps(service, gate, move, basis)),
    ];
    const refused = await sent(zk, ops);
    if (refused !== null) return { gate, moved, written, refused };
    gate = gateReadAfter(gate, moves);
    moved.push(...moves.map(({ host }) => host));
    for (const [deploy, record] of changed) written.set(deploy, record);
  }
  return { gate, moved, written, refused: null };
}

/**
 * A deploy that is halted, or that begins, does so before its hosts are moved; one that ends does so with the last of
 * them.
 */
function chunksOf({ moves, steps }: Round): Round[] {
  const isFirst = ({ move }: DeployStep): boolean => isStop(move) || move.to === "activating";
  if (moves.length + steps.length === 0) return [];
  const chunks: { moves: GateMove[]; steps: DeployStep[] }[] = [{ moves: [], steps: steps.filter(isFirst) }];
  for (const move of moves) {
    const last = chunks.at(-1);
    if (last !== undefined && last.moves.length < MOST_HOSTS) last.moves.push(move);
    else chunks.push({ moves: [move], steps: [] });
  }
  chunks.at(-1)?.steps.push(...steps.filter((step) => !isFirst(step)));
  return chunks;
}

function recordsAfter(steps: readonly DeployStep[], now: Date): Map<string, DeployRecord> {
  return new Map(steps.map(({ deploy, move }) => [deploy.id, moved(deploy.record, move, now)]));
}

function deployOps(
  service: string,
  steps: readonly DeployStep[],
  changed: ReadonlyMap<string, DeployRecord>,
  wishes: readonly (readonly Op[])[],
): Step[] {
  return steps.flatMap(({ deploy: { id, recordVersion } }, at): Step[] => {
    const record = changed.get(id);
    if (record === undefined) return [];
    const about = { kind: "deploy", deploy: id } as const;
    const ops = [op.set(deployPath(service, id), encode(record), recordVersion), ...(wishes[at] ?? [])];
    return ops.map((each) => ({ op: each, about }));
  });
}

/** What is wished once the record says this. */
function wishesAfter(
  service: string,
  { deploy: { id }, move }: DeployStep,
  changed: ReadonlyMap<string, DeployRecord>,
  { wishNodes, pointer, statuses, builds }: RoundBasis,
): Op[] {
  const record = changed.get(id);
  if (record === undefined) return [];
  const { to } = move;
  switch (to) {
    case "rolled back":
      return canaryIsOver(service, id, record, wishNodes);
    case "next stage":
    case "turned round": {
      const { enabled, canary } = wishNodes;
      if (enabled === null || pointer === null) return [];
      const bar = to === "turned round" ? barOps(service, id, record, builds) : [];
      const wished = wishOf(id, record);
      return [...bar, ...wishOps(service, { pointer, enabled, canary }, wished.to, wished.wish, statuses)];
    }
    default:
      return [];
  }
}

/** A build that is taken back by itself is barred as one that a person takes back. */
function barOps(service: string, id: string, record: DeployRecord, builds: RoundBasis["builds"]): Op[] {
  const build = builds.get(record.build);
  if (build === undefined || build.value.barred !== undefined) return [];
  const barred = {
    who: BY_ITSELF,
    why: `rolled back in deploy ${id}: ${reasonOf(record)}`,
    time: record.times.changed,
  };
  return [op.set(buildPath(service, record.build), encode({ ...build.value, barred }), build.version)];
}

/**
 * When the way back is complete, the canary hosts follow `enabled` again, where it names the same build. Where it names
 * the build of a failed deploy, they keep this wish: the other one would take no host back that was away.
 */
function canaryIsOver(
  service: string,
  id: string,
  record: DeployRecord,
  { enabled, canary }: RoundBasis["wishNodes"],
): Op[] {
  if (record.state !== "rolled back" || !isOnCanaries(record) || enabled === null) return [];
  if (canary?.value?.deploy !== id || enabled.value?.build !== buildWanted(record)) return [];
  return [op.check(enabledPath(service), enabled.version), op.delete(canaryPath(service), canary.version)];
}

/** What all grants of a `multi` rest on: their deploys' records, that no deploy was added, and that no build was barred. */
function grantChecks(
  service: string,
  moves: readonly GateMove[],
  { deploysVersion, builds, statuses, heeded }: RoundBasis,
  isWritten: ReadonlySet<string>,
): Step[] {
  const grants = moves.flatMap((move) => (move.kind === "grant" ? [move] : []));
  if (grants.length === 0) return [];
  const checks: Step[] = [{ op: op.check(deploysPath(service), deploysVersion), about: { kind: "deploys" } }];
  for (const other of heeded) {
    const about = { kind: "another service" } as const;
    checks.push({ op: op.check(gatePath(other.service), other.gateVersion), about });
    checks.push({ op: op.check(deploysPath(other.service), other.deploysVersion), about });
  }
  const records = new Map(grants.map(({ slot }) => [slot.deploy, slot.record]));
  for (const [deploy, version] of records) {
    // The record that this very `multi` writes is the one that the slot names.
    if (isWritten.has(deploy)) continue;
    checks.push({ op: op.check(deployPath(service, deploy), version), about: { kind: "deploy", deploy } });
  }
  // A host that has the build already may be kept in service although the build is barred.
  const fresh = new Set(
    grants.flatMap(({ host, slot }) => (statuses.get(host)?.build === slot.build ? [] : [slot.build])),
  );
  for (const build of fresh) {
    const record = builds.get(build);
    if (record === undefined) continue;
    checks.push({ op: op.check(buildPath(service, build), record.version), about: { kind: "build", build } });
  }
  return checks;
}

function hostSteps(service: string, read: GateRead, move: GateMove, { statusNodes }: RoundBasis): Step[] {
  const { host } = move;
  const hasSlot = read.gate.slots.has(host) || read.gate.unreadable.slots.has(host);
  const checks = hostChecks(service, move, statusNodes.get(host)?.version, hasSlot);
  return [...checks, ...moveOps(service, read, move)].map((each) => ({ op: each, about: { kind: "host", host } }));
}

/** That the host still says what its move rests on, and is still there, or not. */
function hostChecks(
  service: string,
  { kind, host }: GateMove,
  statusVersion: number | undefined,
  hasSlot: boolean,
): Op[] {
  // An agent that is back has made its node again, and the creation is refused.
  const isGone = [op.create(agentPath(host)), op.delete(agentPath(host))];
  const said = statusVersion === undefined ? [] : [op.check(statusPath(service, host), statusVersion)];
  switch (kind) {
    case "grant":
      return [op.check(agentPath(host)), ...said];
    case "release":
    case "reclaim":
    case "fail":
    case "heal":
      return said;
    case "lose":
      return [...isGone, ...said];
    case "unhold":
      // A host that has begun to leave meanwhile keeps its hold.
      return said;
    case "hold":
      return [];
    case "clear":
      // What a host that was forgotten holds goes only while nobody is there to use it.
      return hasSlot ? isGone : [];
  }
}

/** Null when it was done; otherwise what was refused. */
async function sent(zk: ZooKeeper, steps: readonly Step[]): Promise<Refused | null> {
  try {
    await zk.multi(steps.map((step) => step.op));
    return null;
  } catch (error) {
    if (!isZooKeeperError(error, "BAD_VERSION", "NO_NODE", "NODE_EXISTS")) throw error;
    return steps[error.index ?? 0]?.about ?? { kind: "gate" };
  }
}
