import type { Chance } from "../chance.ts";
import type { RestartKind } from "../host/builds.ts";
import type { HostService } from "../host/ground.ts";

/** What a rehearsal's world is like; all of it follows from the seed. */
export interface WorldPlan {
  readonly hosts: number;
  readonly canaries: number;
  readonly instances: number;
  readonly restart: RestartKind;
  readonly traffic: HostService["traffic"];
  readonly max: number;
  readonly budget: number;
  readonly soakMs: number;
  readonly sessionTimeoutS: number;
  /** Of the ensemble. */
  readonly servers: 1 | 3 | 5;
  /** How many deploys the operators begin while the weather lasts. */
  readonly deploys: number;
  /** Faults a virtual minute, all over the world, while a deploy is under way. */
  readonly faultsPerMinute: number;
  /** How many machines, at most, are replaced by another of the same name while the weather lasts. */
  readonly reimages: number;
  /** How many hosts leave while the weather lasts, one after the other; each comes back. */
  readonly leaves: number;
  /** Between two things that people and programs do beside the deploys, on average; 0 for nothing of that. */
  readonly errandEveryS: number;
  /** Deploys that the service has behind it. */
  readonly pastDeploys: number;
  /** The back end that the hosts' files name at first. */
  readonly formerTraffic: HostService["traffic"];
  /** How wrong the hosts' clocks are, in milliseconds, at most. */
  readonly clockErrorMs: number;
  /** Whether somebody is told what becomes of the deploys. */
  readonly tells: boolean;
}

/** @param changes for a world that is smaller or calmer than the seed's own */
export function worldPlan(chance: Chance, changes: Partial<WorldPlan> = {}): WorldPlan {
  // The fewer of two draws: a deploy costs by its hosts, and most that can go wrong needs three or four.
  const hosts = Math.min(chance.between(3, 12), chance.fork("hosts").between(3, 12));
  const restart = chance.pick<RestartKind>(["command", "command", "command", "term", "hup"]);
  const instances = chance.pick([1, 1, 1, 2, 3, 4]);
  const traffic = instances === 1 ? chance.pick(["none", "none", "haproxy"] as const) : chance.pick(SPREADING);
  return {
    hosts,
    canaries: chance.pick([0, 1, 1, 2]),
    instances,
    restart,
    traffic,
    max: chance.pick([1, 1, 2, 2, 3, hosts]),
    budget: chance.pick([0, 1, 1, 2, 3]),
    soakMs: chance.pick([0, 1_000, 3_000, 8_000]),
    sessionTimeoutS: chance.pick([4, 6, 10]),
    servers: chance.pick([1, 3, 3, 3, 5] as const),
    deploys: chance.between(3, 6),
    faultsPerMinute: chance.pick([4, 8, 12, 20]),
    clockErrorMs: chance.pick([0, 200, 5_000, 3_600_000]),
    // Of a source of its own: it came later, and the seeds' worlds were to stay what they were.
    reimages: chance.fork("reimages").pick([0, 0, 1, 2]),
    leaves: chance.fork("leaves").pick([0, 0, 1, 3]),
    errandEveryS: chance.pick([0, 10, 20, 40]),
    pastDeploys: chance.happens(0.05) ? 52 : 0,
    formerTraffic: chance.happens(0.4) ? formerOf(traffic) : traffic,
    tells: chance.happens(0.5),
    ...changes,
  };
}

const SPREADING = ["nft", "iptables", "haproxy", "hook"] as const;

/** Only rules in the kernel stay when the agent's file names another back end. */
function formerOf(traffic: HostService["traffic"]): HostService["traffic"] {
  switch (traffic) {
    case "nft":
      return "iptables";
    case "iptables":
      return "nft";
    case "none":
    case "haproxy":
    case "hook":
    case "reject":
      return traffic;
  }
}
