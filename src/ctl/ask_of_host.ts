import type { HostRecord } from "../schema/znodes.ts";
import type { HoldRequest } from "../store/hold_host.ts";
import { readService } from "../store/services.ts";
import { insist, type LastingConnection } from "../watch/lasting_connection.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import type { Ctl } from "./verb.ts";

interface Asking<T> {
  /** Writes it, or finds that it is asked already. */
  readonly ask: (zk: ZooKeeper, by: HoldRequest) => Promise<HostRecord>;
  /** Waits until its turn has come. */
  readonly until: (zk: ZooKeeper, by: HoldRequest, withinMs: number, signal: AbortSignal) => Promise<T>;
}

/**
 * Asks for a host in a person's name and waits for it, also through a lost connection and over an expired session.
 *
 * @param withinMs how long it waits
 * @returns what the host's record says then, and what came of the wait
 */
export async function askOfHost<T>(
  { process, signal, address }: Ctl,
  connection: LastingConnection,
  asked: Pick<HoldRequest, "service" | "host" | "why">,
  withinMs: number,
  { ask, until }: Asking<T>,
): Promise<{ readonly record: HostRecord; readonly came: T }> {
  await readService(await connection.client(), asked.service, () => {});
  const by = { ...asked, who: process.user, clock: process.clock };
  const record = await insist(connection, signal, address.connectTimeoutMs, (zk) => ask(zk, by));
  const came = await insist(connection, signal, withinMs, (zk, leftMs) => until(zk, by, leftMs, signal));
  return { record, came };
}

/** How long a verb with these flags waits, in milliseconds. */
export function waitMs(flags: { readonly detach: boolean | undefined; readonly timeoutS: number | undefined }): number {
  return flags.detach === true ? 0 : (flags.timeoutS ?? Number.POSITIVE_INFINITY) * 1000;
}
