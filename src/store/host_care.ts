import { DeployError } from "../core/errors.ts";
import type { Clock } from "../support/clock.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { attempting } from "./errors.ts";
import { healHost, loseHolder, readGate } from "./gate.ts";
import { deploysPath, hostPath, statusPath } from "./paths.ts";
import { childrenOf } from "./records.ts";
import { readAgentOf, requireHost } from "./registry.ts";

/**
 * Carries out a person's word that a host may be counted on again, or is not needed: in every deploy of the service its
 * failure stays in the budget and gives its capacity back. A slot that it still holds becomes such a failure.
 *
 * @returns the ids of the deploys that this changed
 */
export async function unlockHost(zk: ZooKeeper, service: string, host: string, clock: Clock): Promise<string[]> {
  return attempting(`Cannot unlock "${host}" of "${service}"`, async () => {
    await requireHost(zk, service, host);
    return freeEverywhere(zk, service, host, clock);
  });
}

/**
 * Takes a host that is gone for good out of the service.
 *
 * @throws DeployError `conflict` while its agent is connected: it would register itself again
 */
export async function forgetHost(zk: ZooKeeper, service: string, host: string, clock: Clock): Promise<void> {
  await attempting(`Cannot forget "${host}" of "${service}"`, async () => {
    await requireHost(zk, service, host);
    const agent = await readAgentOf(zk, service, host);
    if (agent !== null) {
      throw new DeployError(`Cannot forget "${host}" of "${service}": its agent is connected, since ${agent.since}.`, {
        code: "conflict",
        hint: `Take ${service} out of its agent.toml and start the agent again, or stop the agent and wait until its session is over.`,
      });
    }
    await freeEverywhere(zk, service, host, clock);
    for (const path of [statusPath(service, host), hostPath(service, host)]) {
      try {
        await zk.delete(path);
      } catch (error) {
        if (!isZooKeeperError(error, "NO_NODE")) throw error;
      }
    }
  });
}

async function freeEverywhere(zk: ZooKeeper, service: string, host: string, clock: Clock): Promise<string[]> {
  const changed: string[] = [];
  for (const deploy of await childrenOf(zk, deploysPath(service))) {
    const read = await readGate(zk, service, deploy);
    const slot = read?.gate.slots[host];
    const failure = read?.gate.failed[host];
    if (slot === undefined && (failure === undefined || failure.healthy)) continue;
    const move = { service, deploy, host, signal: clock.deadline(30_000) };
    if (slot !== undefined) await loseHolder(zk, move, slot.attempt, new Date(clock.now()));
    await healHost(zk, move);
    changed.push(deploy);
  }
  return changed;
}
