import { afterCircle, rulesAfter } from "../core/between_services.ts";
import { DeployError } from "../core/errors.ts";
import type { BetweenServices } from "../schema/between_services.ts";
import { nearest } from "../schema/problems.ts";
import { serviceSettingsSchema, type ServiceSettings } from "../schema/znodes.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { attempting } from "./errors.ts";
import { stampFormat } from "./format.ts";
import { restoreGate } from "./gate.ts";
import {
  buildsPath,
  deploysPath,
  enabledPath,
  hostsPath,
  servicePath,
  servicesPath,
  statusesPath,
  timelinesPath,
} from "./paths.ts";
import { readNodes } from "./read_nodes.ts";
import { childrenOf, createMissing, damagedIn, encode, ensurePath, readDamaged, readSlot } from "./records.ts";

export async function listServices(zk: ZooKeeper): Promise<string[]> {
  return attempting("Cannot list the services", () => childrenOf(zk, servicesPath));
}

/**
 * @param onProblem called when settings cannot be read, which are then replaced by cautious defaults; without it they are
 *   refused
 * @throws DeployError `service-unknown`, with the nearest known name
 */
export async function readService(
  zk: ZooKeeper,
  service: string,
  onProblem?: (problem: string) => void,
): Promise<ServiceSettings> {
  return attempting(`Cannot read the settings of "${service}"`, async () => {
    const read = onProblem === undefined ? readSlot : readDamaged;
    const found: Awaited<ReturnType<typeof readDamaged<typeof serviceSettingsSchema>>> = await read(
      zk,
      servicePath(service),
      serviceSettingsSchema,
    );
    if (found?.problem !== undefined) onProblem?.(found.problem);
    if (found !== null) return found.value ?? serviceSettingsSchema.parse({});
    throw unknownService(service, await childrenOf(zk, servicesPath));
  });
}

/**
 * The settings of all services, by name.
 *
 * @param onProblem called when settings cannot be read, which are then replaced by cautious defaults
 */
export async function readAllSettings(
  zk: ZooKeeper,
  onProblem: (problem: string) => void,
): Promise<Map<string, ServiceSettings>> {
  const services = await listServices(zk);
  return attempting("Cannot read the settings of the services", async () => {
    const nodes = await readNodes(zk, services.map(servicePath));
    return new Map(
      services.flatMap((service, index) => {
        const node = nodes[index] ?? null;
        // Somebody has removed it since.
        if (node === null) return [];
        const { value, problem } = damagedIn(node, servicePath(service), serviceSettingsSchema);
        if (problem !== undefined) onProblem(problem);
        return [[service, value ?? serviceSettingsSchema.parse({})] as const];
      }),
    );
  });
}

/** @param known the services that exist */
export function unknownService(service: string, known: readonly string[]): DeployError {
  const near = nearest(service, known);
  return new DeployError(`There is no service "${service}".`, {
    code: "service-unknown",
    hint: near === undefined ? `Make it with: deployd ctl services set ${service} --max 1` : `Did you mean "${near}"?`,
  });
}

/**
 * Creates the service, or changes the given settings and keeps the others; of the rules between services, too.
 *
 * @throws DeployError `service-unknown`, `usage` where those rules name a service that does not exist, or go in a circle
 */
export async function setService(
  zk: ZooKeeper,
  service: string,
  changes: Partial<ServiceSettings>,
): Promise<ServiceSettings> {
  return attempting(`Cannot set "${service}"`, async () => {
    await ensurePath(zk, servicesPath);
    await stampFormat(zk);
    const path = servicePath(service);
    const found = await readDamaged(zk, path, serviceSettingsSchema);
    const { between: changed } = changes;
    const between =
      changed === undefined ? found?.value?.between : rulesAfter(found?.value?.between ?? undefined, changed);
    const settings = serviceSettingsSchema.parse({ ...found?.value, ...changes, between });
    if (changed !== undefined) await assertRules(zk, service, between ?? {});
    if (found === null) await createMissing(zk, path, encode(settings));
    else await zk.set(path, encode(settings), found.version);
    for (const child of [enabledPath, hostsPath, buildsPath, deploysPath, statusesPath, timelinesPath])
      await createMissing(zk, child(service));
    await restoreGate(zk, service);
    return settings;
  });
}

/**
 * Changes the settings of a service.
 *
 * @throws DeployError `service-unknown`, `conflict` when somebody changed them meanwhile
 */
export async function changeSettings(
  zk: ZooKeeper,
  service: string,
  attempted: string,
  edit: (settings: ServiceSettings) => ServiceSettings,
): Promise<void> {
  await readService(zk, service);
  await attempting(attempted, async () => {
    const found = await readSlot(zk, servicePath(service), serviceSettingsSchema);
    const settings = found?.value ?? serviceSettingsSchema.parse({});
    await zk.set(servicePath(service), encode(edit(settings)), found?.version ?? -1);
  });
}

/** Rules that name what is not there, or that contradict themselves, would be obeyed in silence and never as meant. */
async function assertRules(zk: ZooKeeper, service: string, rules: BetweenServices): Promise<void> {
  const attempted = `Cannot set the rules of "${service}"`;
  const known = await readAllSettings(zk, () => {});
  const named = [...(rules.after ?? []), ...(rules.notWhile ?? [])];
  const missing = named.find((name) => name !== service && !known.has(name));
  if (missing !== undefined) {
    const near = nearest(missing, [...known.keys()]);
    throw new DeployError(`${attempted}: there is no service "${missing}".`, {
      code: "service-unknown",
      hint: near === undefined ? `Make it first: deployd ctl services set ${missing}` : `Did you mean "${near}"?`,
    });
  }
  if (named.includes(service)) {
    throw new DeployError(`${attempted}: it would wait for itself.`, {
      code: "usage",
      hint: "Name other services; of one service there is never more than one deploy at a time.",
    });
  }
  const after = new Map([...known].map(([name, settings]) => [name, settings.between ?? {}] as const));
  const circle = afterCircle(service, after.set(service, rules));
  if (circle === null) return;
  throw new DeployError(`${attempted}: each would come after the other, ${circle.join(", after ")}.`, {
    code: "usage",
    hint: `Leave one of them out. Services that only must not move at once are --not-while each other.`,
  });
}
