import type { Freeze } from "../schema/windows.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { readHead } from "./deploys.ts";
import { changeSettings, readService } from "./services.ts";

/**
 * Freezes a service: nothing is deployed to it until somebody unfreezes it, or the time has come.
 *
 * @throws DeployError `service-unknown`, `conflict` when somebody changed the settings meanwhile
 */
export async function freezeService(
  zk: ZooKeeper,
  service: string,
  { who, why, time, until }: Pick<Freeze, "who" | "why" | "time"> & { readonly until: string | undefined },
): Promise<Freeze> {
  const freeze: Freeze = { who, why, time, ...(until === undefined ? {} : { until }) };
  await changeSettings(zk, service, `Cannot freeze "${service}"`, (settings) => ({ ...settings, freeze }));
  return freeze;
}

/**
 * Allows deploys again, also where a halted deploy has frozen the service.
 *
 * @returns whether it was frozen
 * @throws DeployError `service-unknown`, `conflict` when somebody changed the settings meanwhile
 */
export async function unfreezeService(zk: ZooKeeper, service: string): Promise<boolean> {
  await readService(zk, service);
  const { latest } = await readHead(zk, service);
  const halted = latest?.record.state === "halted" && latest.record.onHalt === "freeze" ? latest.id : undefined;
  let was = false;
  await changeSettings(zk, service, `Cannot unfreeze "${service}"`, ({ freeze, ...settings }) => {
    was = freeze !== undefined || (halted !== undefined && settings.thawed !== halted);
    return { ...settings, ...(halted === undefined ? {} : { thawed: halted }) };
  });
  return was;
}
