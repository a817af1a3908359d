import { systemClock } from "../../../src/support/clock.ts";
import { startDevServer } from "../../../src/zookeeper/server/dev_server.ts";
import { startEnsemble, startZooKeeper } from "../../support/zookeeper.ts";

export interface Target extends AsyncDisposable {
  /** `host:port` of each server. */
  readonly servers: readonly string[];
}

// Containers and nodes past their time to live go within this many milliseconds instead of a minute.
const reapMs = 100;
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
  {
    name: "dev server",
    start: async () => {
      const server = await startDevServer({ clock: systemClock, reapMs });
      return { servers: [server.connectString], [Symbol.asyncDispose]: () => server.close() };
    },
  },
];
