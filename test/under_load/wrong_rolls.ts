import { iptablesChainName } from "../../src/traffic/iptables.ts";
import { tempDir } from "../harness/tempdir.ts";
import { FRONT_PORT, INSTANCES } from "./app.ts";
import { HAND_SPECS, takeInHand, type Hands } from "./hands.ts";
import { ORDINARY_CLIENTS, remoteTargets, startLoad, type FailureClass, type LoadReport } from "./load.ts";
import { makeNetwork } from "./network.ts";

/*
 * Restarts that are wrong in one respect, and one that is right. The load must see the wrong ones: a harness that finds
 * no failures anywhere proves nothing. The order is the only difference; back ends, service and load are those of the
 * rest.
 */

export interface HandRoll {
  readonly name: string;
  readonly by: keyof typeof HAND_SPECS;
  /** The class that must not be empty; null where nothing may fail. */
  readonly shows: FailureClass | null;
  restart(name: string, hands: Hands): Promise<void>;
}

const { signal } = new AbortController();

export const RIGHT_ROLLS: readonly HandRoll[] = (["nft", "iptables"] as const).map((by) => ({
  name: `${by}-right-order`,
  by,
  shows: null,
  restart: async (name, hands) => {
    await hands.traffic.steer(hands.others(name), signal);
    hands.tell(name);
    await hands.untilIdle(name);
    await hands.stop(name);
    await hands.start(name);
    await hands.untilListening(name);
    await hands.traffic.steer(hands.all, signal);
  },
}));

export const WRONG_ROLLS: readonly HandRoll[] = [
  ...(["nft", "iptables"] as const).flatMap((by): HandRoll[] => [
    {
      name: `${by}-stopped-before-traffic-was-off`,
      by,
      shows: "refused",
      restart: async (name, hands) => {
        await hands.stop(name);
        await hands.traffic.steer(hands.others(name), signal);
        await hands.start(name);
        await hands.untilListening(name);
        await hands.traffic.steer(hands.all, signal);
      },
    },
    {
      name: `${by}-traffic-on-before-healthy`,
      by,
      shows: "refused",
      restart: async (name, hands) => {
        await hands.traffic.steer(hands.others(name), signal);
        hands.tell(name);
        await hands.untilIdle(name);
        await hands.stop(name);
        await hands.start(name);
        await hands.traffic.steer(hands.all, signal);
        await hands.untilListening(name);
      },
    },
    {
      name: `${by}-not-drained`,
      by,
      shows: "stale",
      restart: async (name, hands) => {
        await hands.traffic.steer(hands.others(name), signal);
        await hands.stop(name);
        await hands.start(name);
        await hands.untilListening(name);
        await hands.traffic.steer(hands.all, signal);
      },
    },
  ]),
  {
    name: "iptables-swapped-rule-by-rule",
    by: "iptables",
    shows: "refused",
    restart: async (name, hands) => {
      await swapRuleByRule(hands.others(name), hands);
      hands.tell(name);
      await hands.untilIdleOr(name, ORPHANED_MS);
      await hands.stop(name);
      await hands.start(name);
      await hands.untilListening(name);
      await swapRuleByRule(hands.all, hands);
    },
  },
];

/**
 * While there is no rule, not only new connections are refused: with the last rule that needs it, the kernel takes
 * connection tracking out of a network, and established connections that were redirected are reset at the client's end
 * alone. The service keeps its own ends, so nobody may wait until it is idle.
 */
const ORPHANED_MS = 3_000;

/** The rules that the back end puts in place in one transaction, after an emptying that everybody sees. */
async function swapRuleByRule(on: readonly string[], hands: Hands): Promise<void> {
  const chain = iptablesChainName("web");
  const ports = INSTANCES.filter(({ name }) => on.includes(name)).map(({ port }) => port);
  for (const program of ["iptables", "ip6tables"]) {
    await hands.must([program, "-t", "nat", "-F", chain]);
    for (const [index, port] of ports.entries()) {
      const left = ports.length - index;
      const share = left === 1 ? [] : ["-m", "statistic", "--mode", "nth", "--every", `${left}`, "--packet", "0"];
      const redirect = ["-j", "REDIRECT", "--to-ports", `${port}`];
      await hands.must([program, "-t", "nat", "-A", chain, "-p", "tcp", ...share, ...redirect]);
    }
  }
}

/** Restarts so many of the copies under load. */
export async function rollByHand(roll: HandRoll, copies = INSTANCES.length): Promise<LoadReport> {
  await using dir = await tempDir();
  await using network = await makeNetwork();
  const hands = await takeInHand(network, dir.path, HAND_SPECS[roll.by], { cooperates: true, stop: "graceful" });
  await using load = await startLoad(network.clients, remoteTargets(FRONT_PORT), ORDINARY_CLIENTS);
  await load.begin(roll.name);
  for (const name of hands.all.slice(0, copies)) await roll.restart(name, hands);
  await load.end();
  return await load.stop();
}
