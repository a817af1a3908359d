import type { DeployError } from "../core/errors.ts";
import type { Wishes } from "../core/targets.ts";
import type { BuildRecord, HostStatus } from "../schema/znodes.ts";

/** Why no host follows the wish. */
export interface WishTrouble {
  readonly word: "unreadable" | "held" | "not followed" | "not taken up";
  readonly problem: string;
}

interface Wished {
  readonly service: string;
  readonly wishes: Wishes;
  readonly statuses: ReadonlyMap<string, HostStatus>;
  readonly builds: ReadonlyMap<string, { readonly value: BuildRecord }>;
  problemsIn(section: "wishes"): readonly string[];
  whyNoBuild(build: string): DeployError | null;
}

/** Null if hosts follow the wish, or if there is none. */
export function wishTroubleOf(held: Wished): WishTrouble | null {
  const { service, statuses, wishes } = held;
  const [unreadable] = held.problemsIn("wishes");
  if (unreadable !== undefined) return { word: "unreadable", problem: unreadable };
  const older = heldProblem(service, statuses);
  if (older !== null && [...statuses.values()].every((status) => status.held !== undefined))
    return { word: "held", problem: older };
  const byHand = [wishes.enabled, wishes.canary].find((wish) => wish !== null && wish.deploy === undefined);
  if (!byHand) return null;
  const what = `The wish for "${byHand.build}" was written by hand`;
  const lost = held.whyNoBuild(byHand.build);
  if (lost !== null)
    return { word: "not followed", problem: `${what}, and nobody follows it: ${lost.message} ${lost.hint}` };
  if (held.builds.get(byHand.build)?.value.barred !== undefined)
    return { word: "not followed", problem: `${what}, and that build is barred.` };
  return { word: "not taken up", problem: `${what}, and no conductor has taken it up yet.` };
}

/** Tells of hosts that hold a wish older than one they have already followed; null if there is none. */
export function heldProblem(service: string, statuses: ReadonlyMap<string, HostStatus>): string | null {
  const hosts: { readonly host: string; readonly held: NonNullable<HostStatus["held"]> }[] = [];
  for (const [host, { held }] of statuses) if (held !== undefined) hosts.push({ host, held });
  const [first] = hosts;
  if (first === undefined) return null;
  const { build, deploy } = first.held;
  const who = hosts.length === statuses.size ? "Every host holds" : `${hosts.length} of ${statuses.size} hosts hold`;
  const whom = hosts.length === statuses.size ? "" : ` (${named(hosts.map(({ host }) => host))})`;
  return (
    `${who}${whom} the wish for "${build}" of deploy ${deploy}: it is older than what they have followed, as in a ZooKeeper ` +
    `that was restored from a backup. To have it followed: deployd ctl services accept ${service}`
  );
}

const NAMED = 3;

function named(hosts: readonly string[]): string {
  const sorted = hosts.toSorted();
  return sorted.length <= NAMED ? sorted.join(", ") : `${sorted.slice(0, NAMED).join(", ")}, …`;
}
