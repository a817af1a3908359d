import { systemClock } from "../../src/support/clock.ts";
import { startDevServer } from "../../src/zookeeper/server/dev_server.ts";
import { sharedZooKeeper } from "../harness/shared_zookeeper.ts";

/** The same cases against both: what the development server does differently is a failure of one of the two. */
export const servers = [
  ["Apache ZooKeeper", sharedZooKeeper],
  ["the development server", () => startDevServer({ clock: systemClock })],
] as const;
