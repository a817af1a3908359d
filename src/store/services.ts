import { DeployError } from "../core/errors.ts";
import { nearest } from "../schema/problems.ts";
import { serviceSettingsSchema, type ServiceSettings } from "../schema/znodes.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { attempting } from "./errors.ts";
import { stampFormat } from "./format.ts";
import { buildsPath, deploysPath, enabledPath, hostsPath, servicePath, servicesPath, statusesPath } from "./paths.ts";
import { childrenOf, encode, ensurePath, readSlot } from "./records.ts";

export async function listServices(zk: ZooKeeper): Promise<string[]> {
  return attempting("Cannot list the services", () => childrenOf(zk, servicesPath));
}

/** @throws DeployError `service-unknown`, with the nearest known name */
export async function readService(zk: ZooKeeper, service: string): Promise<ServiceSettings> {
  return attempting(`Cannot read the settings of "${service}"`, async () => {
    const found = await readSlot(zk, servicePath(service), serviceSettingsSchema);
    if (found !== null) return found.value ?? serviceSettingsSchema.parse({});
    const near = nearest(service, await childrenOf(zk, servicesPath));
    throw new DeployError(`There is no service "${service}".`, {
      code: "service-unknown",
      hint:
        near === undefined ? `Make it with: deployd ctl services set ${service} --max 1` : `Did you mean "${near}"?`,
    });
  });
}

/** Makes the service, or changes the settings that are given and keeps the others. */
export async function setService(
  zk: ZooKeeper,
  service: string,
  changes: Partial<ServiceSettings>,
): Promise<ServiceSettings> {
  return attempting(`Cannot set "${service}"`, async () => {
    await ensurePath(zk, servicesPath);
    await stampFormat(zk);
    const path = servicePath(service);
    const found = await readSlot(zk, path, serviceSettingsSchema);
    const settings = serviceSettingsSchema.parse({ ...found?.value, ...changes });
    if (found === null) await create(zk, path, encode(settings));
    else await zk.set(path, encode(settings), found.version);
    for (const child of [enabledPath, hostsPath, buildsPath, deploysPath, statusesPath])
      await create(zk, child(service), "");
    return settings;
  });
}

async function create(zk: ZooKeeper, path: string, data: string): Promise<void> {
  try {
    await zk.create(path, data);
  } catch (error) {
    if (!isZooKeeperError(error, "NODE_EXISTS")) throw error;
  }
}
