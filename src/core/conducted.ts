import type { DeployRecord } from "../schema/deploy_record.ts";
import type { HostRecord, HostStatus } from "../schema/znodes.ts";
import type { Limits } from "../schema/limits.ts";
import type { HeldBack } from "./between_services.ts";
import type { Gate, OutHosts } from "./gate.ts";
import type { Wishes } from "./targets.ts";

export interface ConductedDeploy {
  readonly id: string;
  readonly record: DeployRecord;
  readonly recordVersion: number;
  /** When its record was written last, by ZooKeeper's clock, in epoch milliseconds. */
  readonly writtenAtMs: number;
  /** The hosts that hold a slot of it, and those whose last failure was under it. */
  readonly out: OutHosts;
}

/** Records that exist and cannot be read. Since nobody knows what they say, the worst is assumed. */
export interface Unreadable {
  /** The record of what the hosts are to serve. */
  readonly wishes: boolean;
  /** Deploys whose record cannot be read: what they allow is not known. */
  readonly deploys: ReadonlySet<string>;
  /** Hosts whose role cannot be read: they belong to the service, but to which part of it is not known. */
  readonly hosts: ReadonlySet<string>;
  /** Hosts whose status cannot be read: they may be out of service. */
  readonly statuses: ReadonlySet<string>;
  /** Builds whose record cannot be read: they may be barred. */
  readonly builds: ReadonlySet<string>;
}

/** What the conductor has read of one service. */
export interface ConductedService {
  readonly wishes: Wishes;
  /** Null where it does not exist: nobody knows who is out of service, and nothing can be changed. */
  readonly gate: Gate | null;
  /** The service's own limits. */
  readonly limits: Limits;
  /** What other services forbid. */
  readonly heldBack: HeldBack;
  readonly deploys: readonly ConductedDeploy[];
  readonly hosts: ReadonlyMap<string, HostRecord>;
  readonly status: ReadonlyMap<string, HostStatus>;
  readonly unreadable: Unreadable;
  /** Builds that are barred; the value says by whom and why. */
  readonly barred: ReadonlyMap<string, string>;
  /** Of the builds that deploys lead to, those that exist. */
  readonly builds: ReadonlySet<string>;
  /** Hosts whose agent is connected. */
  readonly alive: ReadonlySet<string>;
  /** For hosts that are not alive: since when the conductor has missed them, by its monotonic clock. */
  readonly missingSince: ReadonlyMap<string, number>;
  readonly nowMs: number;
  /** How long the agent of a slot holder may be missing before the host counts as lost: the session timeout. */
  readonly lostAfterMs: number;
  /** The time by ZooKeeper's clock, in epoch milliseconds; null where it is not known. */
  readonly serverNowMs: number | null;
  /** The newest deploy, and for how long nothing has moved in it, in milliseconds; null where there is none. */
  readonly still: { readonly deploy: string; readonly forMs: number } | null;
  /** The time for people. */
  readonly now: Date;
  /** Hosts of which a change has just been refused, because they had changed meanwhile: they wait for the next round. */
  readonly leftOut: ReadonlySet<string>;
}

/** Whether the host is one of the service's. */
export function belongs({ hosts, unreadable }: Pick<ConductedService, "hosts" | "unreadable">, host: string): boolean {
  return hosts.has(host) || unreadable.hosts.has(host);
}
