import { DeployError } from "../core/errors.ts";
import { agentRecordSchema, type AgentRecord } from "../schema/znodes.ts";
import type { FormatGate } from "../store/format.ts";
import { agentPath, agentsPath } from "../store/paths.ts";
import { encode, ensurePath, readRecord } from "../store/records.ts";
import { pause } from "../support/bell.ts";
import type { Clock } from "../support/clock.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import type { Session } from "../zookeeper/session.ts";

export interface PresenceRecord extends AgentRecord {
  /** The directory that this agent holds the lock of. */
  readonly lock: string;
}

export interface Announcement {
  readonly session: Session;
  readonly format: FormatGate;
  readonly host: string;
  readonly record: PresenceRecord;
  /**
   * Called with the reason why the agent does nothing yet, and with "" once it does.
   *
   * @param isTaken another agent has the name
   */
  readonly onWaiting: (problem: string, isTaken: boolean) => void;
  /** Called when another agent has taken the name after this one's session had expired. */
  readonly onOusted: (error: DeployError) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const LOOK_AGAIN_MS = 1_000;

type OnProblem = (problem: string, isTaken?: boolean) => void;
/** What is in the way of the node: nothing, somebody else's, or what makes no sense to wait for. */
interface InTheWay {
  readonly problem: string;
  readonly isTaken: boolean;
}
const nothingInTheWay: InTheWay = { problem: "", isTaken: false };

/**
 * Makes `agents/<host>` and keeps it until the signal is aborted; returns when it is made. While another machine holds
 * the name, this waits: two agents for one host would undo each other's work. The node of a killed agent remains until
 * its session times out. It is removed at once when it comes from this boot of this machine and names the lock that this
 * agent now holds, since its maker cannot be alive then; so is a node that is not ephemeral, which no agent makes. Where
 * either is in the way later, or the tree was emptied, that is corrected in the same way.
 */
export async function announce(options: Announcement): Promise<void> {
  const { session, host, record, onWaiting, onOusted, signal } = options;
  /** What is known to be in the way, and why the session cannot make the node otherwise. */
  const what = { inTheWay: "", isTaken: false, trouble: "" };
  const tell = (): void => onWaiting(what.inTheWay || what.trouble, what.isTaken);
  const onProblem: OnProblem = (problem, isTaken = false) => {
    what.inTheWay = problem;
    what.isTaken = isTaken;
    tell();
  };
  let clearing = false;
  const clearTheWay = async (): Promise<void> => {
    if (clearing) return;
    clearing = true;
    // The session makes the node as soon as nothing is in its way.
    await untilClear(options, onProblem, async () => {});
    clearing = false;
  };
  await untilClear(options, onProblem, async () => {
    await session.ephemeral(
      agentPath(host),
      encode(record),
      ({ ephemeralOwner }) => {
        if (ephemeralOwner === 0n) void clearTheWay();
        else onOusted(nameTaken(host, null));
      },
      (error) => {
        if (signal.aborted) return;
        what.trouble = error === null ? "" : cannotAnnounce(error);
        tell();
        if (error !== null) void clearTheWay();
      },
    );
  });
}

/**
 * Retries until nothing is in the way of the node and `then` has succeeded; reports what is in the way meanwhile, and ""
 * at the end.
 */
async function untilClear(options: Announcement, onProblem: OnProblem, then: () => Promise<void>): Promise<void> {
  const { session, format, clock, signal } = options;
  while (!signal.aborted) {
    try {
      const { client } = session;
      await client.connected({ signal });
      await format.known(signal);
      const { problem, isTaken } = await whatIsInTheWay(client, options, onProblem);
      if (problem === "") await then();
      onProblem(problem, isTaken);
      if (problem === "") return;
    } catch (error) {
      if (signal.aborted) return;
      // What was there a moment ago has changed, so it is read again.
      if (!isZooKeeperError(error, "NO_NODE", "BAD_VERSION")) onProblem(cannotAnnounce(error));
    }
    await pause(clock, LOOK_AGAIN_MS, signal);
  }
}

/** Removes what may be removed; returns what is left in the way. */
async function whatIsInTheWay(zk: ZooKeeper, { host, record }: Announcement, onProblem: OnProblem): Promise<InTheWay> {
  const path = agentPath(host);
  try {
    await ensurePath(zk, agentsPath);
  } catch (error) {
    if (isZooKeeperError(error, "NO_NODE")) return { problem: noTree(host).explained, isTaken: false };
    throw error;
  }
  const stat = await zk.exists(path);
  if (stat === null || stat.ephemeralOwner === zk.sessionId) return nothingInTheWay;
  if (stat.ephemeralOwner === 0n) {
    onProblem(`Removing ${path} from ZooKeeper: it is not ephemeral, so no agent made it.`);
    await zk.delete(path, stat.version);
    return nothingInTheWay;
  }
  const there = await readRecord(zk, path, agentRecordSchema);
  if (there === null || there.value.bootId !== record.bootId || there.value["lock"] !== record.lock) {
    return { problem: nameTaken(host, there?.value ?? null).explained, isTaken: true };
  }
  await zk.delete(path, there.version);
  return nothingInTheWay;
}

function cannotAnnounce(error: unknown): string {
  return `cannot announce this agent: ${String(error)}`;
}

function noTree(host: string): DeployError {
  return new DeployError(`Cannot announce host "${host}": there is no tree at this agent's chroot in ZooKeeper.`, {
    code: "zookeeper-data-invalid",
    hint: "Make it with deployd ctl services set, restore it, or correct zookeeper.chroot in agent.toml.",
  });
}

function nameTaken(host: string, other: AgentRecord | null): DeployError {
  const port = other?.statusAddress ?? null;
  const where = port === null ? "" : ` with its status at ${port}`;
  const who = other === null ? "another agent" : `an agent with pid ${other.pid}, started ${other.since}${where},`;
  return new DeployError(`Cannot be host "${host}": ${who} has this name in ZooKeeper.`, {
    code: "already-running",
    hint:
      "Until the other agent's session has ended, this one follows no wish and touches nothing. Give each machine a name " +
      "of its own (host in agent.toml).",
  });
}
