import { DeployError } from "../core/errors.ts";
import { hostRecordSchema, hostStatusSchema, type HostRecord, type HostStatus } from "../schema/znodes.ts";
import { untilByPauses } from "../support/wait.ts";
import { op, type ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import { attempting } from "./errors.ts";
import type { HoldRequest } from "./hold_host.ts";
import { hostPath, statusPath } from "./paths.ts";
import { encode, isDamaged, readRecord } from "./records.ts";
import { readAgentOf, readStatusOf, requireHost } from "./registry.ts";

const LOOK_AGAIN_MS = 200;
/** How often the host may say something else while it is being forgotten. */
const MOST_TRIES = 5;

/** How far a host has left; null while its turn has not come. */
type Leaving = NonNullable<HostStatus["leaving"]> | null;

/**
 * Asks that a host leave the fleet: it is held as soon as the service's limits allow it, and its agent then stops the
 * service there. Asking again, and asking of a host that is held already, keeps who asked first.
 *
 * @throws DeployError `conflict` where its agent is away: nobody is there who could stop anything
 */
export async function leaveHost(zk: ZooKeeper, { service, host, who, why, clock }: HoldRequest): Promise<HostRecord> {
  return attempting(`Cannot have "${host}" leave "${service}"`, async () => {
    const { value, version } = await requireHost(zk, service, host);
    if (value.hold?.stop === true) return value;
    if ((await readAgentOf(zk, service, host)) === null) {
      throw new DeployError(`Cannot have "${host}" leave "${service}": its agent is not connected.`, {
        code: "conflict",
        hint: `Start its agent, which stops the service; a host that is gone for good: deployd ctl hosts forget ${service} ${host}`,
      });
    }
    const hold = value.hold ?? { who, why, time: new Date(clock.now()).toISOString() };
    const record = { ...value, hold: { ...hold, stop: true } };
    await zk.set(hostPath(service, host), encode(record), version);
    return record;
  });
}

/** Waits until the host has left, or says that it cannot. @returns what it said last */
export async function untilLeft(
  zk: ZooKeeper,
  { service, host, clock }: Pick<HoldRequest, "service" | "host" | "clock">,
  withinMs: number,
  signal: AbortSignal,
): Promise<Leaving> {
  const look = async (): Promise<Leaving> => (await readStatusOf(zk, service, host))?.leaving ?? null;
  const isOver = (leaving: Leaving): boolean => leaving?.phase === "stopped" || leaving?.phase === "refused";
  return untilByPauses(look, isOver, { everyMs: LOOK_AGAIN_MS, withinMs }, clock, signal);
}

/**
 * Takes a host that has left out of the service, though its agent is connected: it registers itself no more.
 * Forgetting again what was forgotten, perhaps by a try whose answer was lost, is no mistake.
 *
 * @returns false where it has not left, or somebody has given it back meanwhile
 */
export async function forgetLeft(zk: ZooKeeper, service: string, host: string): Promise<boolean> {
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const record = await readRecord(zk, hostPath(service, host), hostRecordSchema);
    if (record === null) return true;
    const status = await readRecord(zk, statusPath(service, host), hostStatusSchema).catch(nothingOf);
    if (record.value.hold?.stop !== true || status?.value.leaving?.phase !== "stopped") return false;
    try {
      const node = hostPath(service, host);
      await zk.multi([op.delete(node, record.version), op.delete(statusPath(service, host), status.version)]);
      return true;
    } catch (error) {
      if (!isZooKeeperError(error, "BAD_VERSION", "NO_NODE")) throw error;
    }
  }
  return false;
}

/**
 * Registers a host anew that has left and was forgotten, so that it comes back.
 *
 * @returns false where the host is registered, or no agent of it is connected
 */
export async function takeBack(zk: ZooKeeper, service: string, host: string): Promise<boolean> {
  if ((await readAgentOf(zk, service, host)) === null) return false;
  try {
    await zk.create(hostPath(service, host), encode({ role: "fleet" }));
    return true;
  } catch (error) {
    if (isZooKeeperError(error, "NODE_EXISTS")) return false;
    throw error;
  }
}

/** What cannot be read does not say that it has left. */
function nothingOf(error: unknown): null {
  if (isDamaged(error)) return null;
  throw error;
}
