import type { DeployRecord, DeployState } from "../schema/deploy_record.ts";
import { buildWanted } from "./deploy_state.ts";
import type { ConductedDeploy, ConductedService } from "./conducted.ts";
import { progressOf } from "./progress.ts";

/** The places in which a host of a deploy can be; each host is in exactly one. */
export const hostPlaces = ["serving", "failed", "away", "restarting", "waiting"] as const;
export type HostPlace = (typeof hostPlaces)[number];

/** How one service stands, as the conductor sees it. */
export interface ServiceReport {
  readonly service: string;
  /** The newest deploy; null where there is none, and where it cannot be read. */
  readonly deploy: { readonly id: string; readonly build: string; readonly state: DeployState } | null;
  /** How many hosts of that deploy are in each place. */
  readonly hosts: Readonly<Record<HostPlace, number>>;
  /** Hosts that are registered for the service, by whether their agent is connected and runs it. */
  readonly agents: Readonly<Record<"connected" | "away", number>>;
  /** Records that exist but cannot be read. */
  readonly unreadable: number;
  /** How long nothing has moved in the deploy that is under way; 0 where none is. */
  readonly stillForMs: number;
}

/** How many hosts of the deploy are in each place. */
export function placesOf(
  view: Pick<ConductedService, "wishes" | "hosts" | "status" | "alive">,
  deploy: ConductedDeploy,
): Record<HostPlace, number> {
  const { hosts, serving, failed, unreachable } = progressOf(view, deploy);
  const settled = new Set([...serving, ...failed, ...unreachable]);
  const left = hosts.filter((host) => !settled.has(host));
  const restarting = left.filter((host) => deploy.out.slots[host] !== undefined).length;
  return {
    serving: serving.length,
    failed: failed.length,
    away: unreachable.length,
    restarting,
    waiting: left.length - restarting,
  };
}

/** The newest of the deploys on record; null where there is none. */
export function newestOf<D extends { readonly czxid: bigint }>(deploys: Iterable<D>): D | null {
  let newest: D | null = null;
  for (const deploy of deploys) if (newest === null || deploy.czxid > newest.czxid) newest = deploy;
  return newest;
}

export function deployShown({ id, record }: { readonly id: string; readonly record: DeployRecord }) {
  return { id, build: buildWanted(record), state: record.state };
}
