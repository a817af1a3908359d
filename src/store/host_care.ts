import { DeployError } from "../core/errors.ts";
import type { Clock } from "../support/clock.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { attempting } from "./errors.ts";
import { failureSchema, slotSchema, type Slot } from "../schema/znodes.ts";
import { until } from "../support/wait.ts";
import { forgetLeft } from "./leave.ts";
import { failurePath, hostPath, slotPath, statusPath } from "./paths.ts";
import { encode, readRecord } from "./records.ts";
import { readAgentOf, requireHost } from "./registry.ts";

/** How long a conductor may take to give capacity back that a person has asked it to, in milliseconds. */
const GIVEN_BACK_MS = 10_000;
const LOOK_AGAIN_MS = 200;

/** What came of `unlockHost`. */
export interface Unlocked {
  /** The deploy under which the host holds capacity; null where it holds none. */
  readonly deploy: string | null;
  /** The capacity is given back; otherwise it is as soon as an agent conducts. */
  readonly isDone: boolean;
}

/**
 * Carries out a person's word that a host may be counted on again, or is not needed: its failure stays in the budget and
 * gives its capacity back. A slot that it still holds becomes such a failure. The word is written beside the host's role,
 * and names the attempt that it is about; the conductor goes by it.
 */
export async function unlockHost(
  zk: ZooKeeper,
  service: string,
  host: string,
  by: { readonly who: string; readonly clock: Clock },
): Promise<Unlocked> {
  return attempting(`Cannot unlock "${host}" of "${service}"`, async () => {
    const { value, version } = await requireHost(zk, service, host);
    const held = await heldBy(zk, service, host);
    if (held === null) return { deploy: null, isDone: true };
    const { deploy, attempt } = held;
    const unlocked = { deploy, attempt, who: by.who, time: new Date(by.clock.now()).toISOString() };
    await zk.set(hostPath(service, host), encode({ ...value, unlocked }), version);
    const isFree = async () => (await heldBy(zk, service, host)) === null;
    const when = { everyMs: LOOK_AGAIN_MS, withinMs: GIVEN_BACK_MS };
    const isDone = await until(isFree, (free) => free, when, by.clock);
    return { deploy, isDone };
  });
}

/** The slot or the failure by which the host holds capacity; null where it holds none. */
async function heldBy(zk: ZooKeeper, service: string, host: string): Promise<Pick<Slot, "deploy" | "attempt"> | null> {
  const slot = await readRecord(zk, slotPath(service, host), slotSchema);
  if (slot !== null) return slot.value;
  const failure = await readRecord(zk, failurePath(service, host), failureSchema);
  return failure === null || failure.value.healthy ? null : failure.value;
}

/**
 * Takes a host that is gone for good out of the service. What it holds is given back by the conductor, which sees that
 * the host is registered no more.
 *
 * @throws DeployError `conflict` while its agent is connected: it would register itself again
 */
export async function forgetHost(zk: ZooKeeper, service: string, host: string): Promise<void> {
  await attempting(`Cannot forget "${host}" of "${service}"`, async () => {
    await requireHost(zk, service, host);
    if (await forgetLeft(zk, service, host)) return;
    const agent = await readAgentOf(zk, service, host);
    if (agent !== null) {
      throw new DeployError(`Cannot forget "${host}" of "${service}": its agent is connected, since ${agent.since}.`, {
        code: "conflict",
        hint: `Have it leave first (deployd ctl hosts leave ${service} ${host}), take ${service} out of its agent.toml and start the agent again, or stop the agent and wait until its session is over.`,
      });
    }
    for (const path of [statusPath(service, host), hostPath(service, host)]) {
      try {
        await zk.delete(path);
      } catch (error) {
        if (!isZooKeeperError(error, "NO_NODE")) throw error;
      }
    }
  });
}
