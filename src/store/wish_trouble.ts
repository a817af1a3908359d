import { isDeployError } from "../core/errors.ts";
import type { HostStatus } from "../schema/znodes.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { readBuild } from "./builds.ts";
import type { ServiceHead } from "./deploys.ts";

/** Why no host follows what is wished. */
export interface WishTrouble {
  readonly word: "unreadable" | "held" | "not followed" | "not taken up";
  readonly problem: string;
}

/** @returns null where hosts follow, or nothing is wished */
export async function wishTroubleOf(
  zk: ZooKeeper,
  service: string,
  head: ServiceHead,
  statuses: ReadonlyMap<string, HostStatus>,
): Promise<WishTrouble | null> {
  const [unreadable] = head.problems;
  if (unreadable !== undefined) return { word: "unreadable", problem: unreadable };
  const held = heldProblem(service, statuses);
  if (held !== null && [...statuses.values()].every((status) => status.held !== undefined))
    return { word: "held", problem: held };
  const byHand = [head.enabled.value, head.canary?.value].find((wish) => wish && wish.deploy === undefined);
  if (!byHand) return null;
  const what = `The wish for "${byHand.build}" was written by hand`;
  try {
    const { barred } = (await readBuild(zk, service, byHand.build)).value;
    if (barred !== undefined) return { word: "not followed", problem: `${what}, and that build is barred.` };
    return { word: "not taken up", problem: `${what}, and no conductor has taken it up yet.` };
  } catch (error) {
    if (!isDeployError(error)) throw error;
    return { word: "not followed", problem: `${what}, and nobody follows it: ${error.message} ${error.hint}` };
  }
}

/** Hosts that were put before an older wish than they have followed; null where there is none. */
export function heldProblem(service: string, statuses: ReadonlyMap<string, HostStatus>): string | null {
  const hosts = [...statuses].flatMap(([host, { held }]) => (held === undefined ? [] : [{ host, held }]));
  const [first] = hosts;
  if (first === undefined) return null;
  const { build, deploy } = first.held;
  const who = hosts.length === statuses.size ? "Every host holds" : `${hosts.length} of ${statuses.size} hosts hold`;
  const whom = hosts.length === statuses.size ? "" : ` (${named(hosts.map(({ host }) => host))})`;
  return (
    `${who}${whom} the wish for "${build}" of deploy ${deploy}: it is older than what they have followed, as in a ZooKeeper ` +
    `that was put back from a backup. To have it followed: deployd ctl services accept ${service}`
  );
}

const NAMED = 3;

function named(hosts: readonly string[]): string {
  const sorted = hosts.toSorted();
  return sorted.length <= NAMED ? sorted.join(", ") : `${sorted.slice(0, NAMED).join(", ")}, …`;
}
