import { holdSchema, type HostRecord } from "../schema/znodes.ts";
import type { Clock } from "../support/clock.ts";
import { untilByPauses } from "../support/wait.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { attempting } from "./errors.ts";
import { hostPath, slotPath } from "./paths.ts";
import { encode, isDamaged, readRecord } from "./records.ts";
import { requireHost } from "./registry.ts";

const LOOK_AGAIN_MS = 200;

export interface HoldRequest {
  readonly service: string;
  readonly host: string;
  readonly who: string;
  readonly why: string;
  readonly clock: Clock;
}

/**
 * Asks that a host be out of service for a person. It is when the service's limits allow it: whoever conducts gives it a
 * slot. Asking again keeps who asked first.
 */
export async function holdHost(zk: ZooKeeper, { service, host, who, why, clock }: HoldRequest): Promise<HostRecord> {
  return attempting(`Cannot hold "${host}" of "${service}"`, async () => {
    const { value, version } = await requireHost(zk, service, host);
    if (value.hold !== undefined) return value;
    const record = { ...value, hold: { who, why, time: new Date(clock.now()).toISOString() } };
    await zk.set(hostPath(service, host), encode(record), version);
    return record;
  });
}

/** Gives a host back that was held. @returns false where it was not held */
export async function releaseHost(zk: ZooKeeper, service: string, host: string): Promise<boolean> {
  return attempting(`Cannot release "${host}" of "${service}"`, async () => {
    const { value, version } = await requireHost(zk, service, host);
    if (value.hold === undefined) return false;
    const { hold: _, ...record } = value;
    await zk.set(hostPath(service, host), encode(record), version);
    return true;
  });
}

/** Waits until the host is held, or is not any more. @returns whether that came about in time */
export async function untilHeld(
  zk: ZooKeeper,
  { service, host, clock }: Pick<HoldRequest, "service" | "host" | "clock">,
  isHeld: boolean,
  withinMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const look = async () => (await hasHold(zk, service, host)) === isHeld;
  return untilByPauses(look, (done) => done, { everyMs: LOOK_AGAIN_MS, withinMs }, clock, signal);
}

async function hasHold(zk: ZooKeeper, service: string, host: string): Promise<boolean> {
  try {
    return (await readRecord(zk, slotPath(service, host), holdSchema)) !== null;
  } catch (error) {
    // It is the slot of a deploy.
    if (isDamaged(error)) return false;
    throw error;
  }
}
