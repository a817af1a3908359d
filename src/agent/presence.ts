import { DeployError } from "../core/errors.ts";
import { agentRecordSchema, type AgentRecord } from "../schema/znodes.ts";
import type { FormatGate } from "../store/format.ts";
import { agentPath, agentsPath } from "../store/paths.ts";
import { encode, ensurePath, readRecord } from "../store/records.ts";
import { pause } from "../support/bell.ts";
import type { Clock } from "../support/clock.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import type { Session } from "../zookeeper/session.ts";

export interface PresenceRecord extends AgentRecord {
  /** The directory whose lock this agent holds. */
  readonly lock: string;
}

export interface Announcement {
  readonly session: Session;
  readonly format: FormatGate;
  readonly host: string;
  readonly record: PresenceRecord;
  /** Told why the agent does nothing yet, and with "" when that is over. */
  readonly onWaiting: (problem: string) => void;
  /** Told when another agent has taken the name later, while this one's session had expired. */
  readonly onOusted: (error: DeployError) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const LOOK_AGAIN_MS = 1_000;

/**
 * Makes `agents/<host>` and keeps it. While another machine holds the name this waits: two agents for one host would undo
 * each other's work. The node of a former agent that was killed stands until its session times out; it is removed at once
 * when it comes from this boot of this machine and names the lock that this agent now holds, since then its maker cannot
 * be alive.
 */
export async function announce(options: Announcement): Promise<void> {
  const { session, format, host, record, onWaiting, onOusted, clock, signal } = options;
  const path = agentPath(host);
  while (!signal.aborted) {
    try {
      const zk = session.client;
      await zk.connected({ signal });
      await format.known(signal);
      await ensurePath(zk, agentsPath);
      const there = await readRecord(zk, path, agentRecordSchema);
      if (there === null || (there.value.bootId === record.bootId && there.value["lock"] === record.lock)) {
        if (there !== null) await zk.delete(path, there.version);
        await session.ephemeral(path, encode(record), () => onOusted(nameTaken(host, null)));
        onWaiting("");
        return;
      }
      onWaiting(nameTaken(host, there.value).explained);
    } catch (error) {
      if (signal.aborted) return;
      if (!isZooKeeperError(error, "NO_NODE", "BAD_VERSION")) onWaiting(`cannot announce this agent: ${String(error)}`);
    }
    await pause(clock, LOOK_AGAIN_MS, signal);
  }
}

function nameTaken(host: string, other: AgentRecord | null): DeployError {
  const who = other === null ? "another agent" : `an agent with pid ${other.pid}, started ${other.since},`;
  return new DeployError(`Cannot be host "${host}": ${who} has this name in ZooKeeper.`, {
    code: "already-running",
    hint: "Give each machine a name of its own (host in agent.toml), or wait until the other agent's session has ended.",
  });
}
