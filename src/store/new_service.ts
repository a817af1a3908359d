import { DeployError } from "../core/errors.ts";
import { nearest } from "../schema/problems.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { attempting } from "./errors.ts";
import { servicesPath } from "./paths.ts";
import { childrenOf } from "./records.ts";

/**
 * Whether `services set` creates this service. A name that is one typing slip away from another's is refused, since it
 * nearly always is a slip: otherwise a service would be created that nobody has, and the intended one would stay as it
 * was.
 *
 * @param isMeant the name is right, however similar to another
 * @throws DeployError `service-unknown`, with the nearest known name
 */
export async function isNewService(zk: ZooKeeper, service: string, isMeant: boolean): Promise<boolean> {
  const known = await attempting(`Cannot set "${service}"`, () => childrenOf(zk, servicesPath));
  if (known.includes(service)) return false;
  const near = isMeant ? undefined : slipOf(service, known);
  if (near === undefined) return true;
  throw new DeployError(`There is no service "${service}".`, {
    code: "service-unknown",
    hint: `Did you mean "${near}"? To make another of that name: deployd ctl services set ${service} --new`,
  });
}

/**
 * The service that was probably meant; undefined where the names may well be different ones: services are also numbered,
 * and have short names.
 */
function slipOf(service: string, known: readonly string[]): string | undefined {
  const others = known.filter((name) => withoutNumbers(name) !== withoutNumbers(service));
  return nearest(service, others, service.length < 6 ? 1 : 2);
}

function withoutNumbers(name: string): string {
  return name.replaceAll(/\d+/g, "0");
}
