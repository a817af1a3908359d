import { systemClock } from "../../src/support/clock.ts";
import { startDevServer } from "../../src/zookeeper/server/dev_server.ts";
import { startZooKeeper } from "../harness/zookeeper.ts";

/** The same cases against both: what the development server does differently is a failure of one of the two. */
export const servers = [
  ["Apache ZooKeeper", startZooKeeper],
  ["the development server", () => startDevServer({ clock: systemClock })],
] as const;
