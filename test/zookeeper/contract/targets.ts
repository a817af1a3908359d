import { systemClock } from "../../../src/support/clock.ts";
import { startDevServer } from "../../../src/zookeeper/server/dev_server.ts";
import type { Dial } from "../../../src/zookeeper/dial.ts";
import { chanceOf } from "../../sim/chance.ts";
import { Network } from "../../sim/network.ts";
import { VirtualTime } from "../../sim/time.ts";
import { Ensemble } from "../../sim/zookeeper/ensemble.ts";
import { startEnsemble, startZooKeeper } from "../../harness/zookeeper.ts";

export interface Target extends AsyncDisposable {
  /** `host:port` of each server. */
  readonly servers: readonly string[];
  /** How they are reached, when it is not by TCP. */
  readonly dial?: Dial;
}

// Containers and nodes past their time to live go within this many milliseconds instead of a minute.
const reapMs = 100;
/** Servers of a rehearsal, whose time is kept in step with the real one for once. */
async function rehearsed(servers: 1 | 3): Promise<Target> {
  const time = new VirtualTime();
  const network = new Network(time, chanceOf("contract network"), { latencyMs: 0, jitterMs: 0.2 });
  const sessionTimeouts = [400, 60_000] as const;
  const ensemble = new Ensemble({ time, network, chance: chanceOf("contract"), servers, sessionTimeouts, reapMs });
  network.machine("client", "127.0.0.1");
  const startedAt = performance.now();
  const pump = setInterval(() => time.run(performance.now() - startedAt), 1);
  return {
    servers: ensemble.connectString.split(","),
    dial: ensemble.dialFrom("client"),
    [Symbol.asyncDispose]: async () => clearInterval(pump),
  };
}

const properties = { "znode.container.checkIntervalMs": `${reapMs}` };

export const targets: readonly { readonly name: string; readonly start: () => Promise<Target> }[] = [
  {
    name: "Apache 3.8",
    start: async () => {
      const server = await startZooKeeper({ properties });
      return { servers: [server.connectString], [Symbol.asyncDispose]: () => server.stop() };
    },
  },
  {
    name: "Apache 3.8 ×3",
    start: async () => {
      const ensemble = await startEnsemble(3, { properties });
      // The two that follow: a sync at the leader itself may miss a write that a follower has answered.
      const leader = await ensemble.leader();
      const servers = ensemble.servers.filter((each) => each !== leader).map((each) => each.connectString);
      return { servers, [Symbol.asyncDispose]: () => ensemble.stop() };
    },
  },
  { name: "a rehearsed server", start: () => rehearsed(1) },
  { name: "three rehearsed servers", start: () => rehearsed(3) },
  {
    name: "dev server",
    start: async () => {
      const server = await startDevServer({ clock: systemClock, reapMs });
      return { servers: [server.connectString], [Symbol.asyncDispose]: () => server.close() };
    },
  },
];
