import type { SessionState, ZooKeeper } from "../../src/zookeeper/client.ts";
import { eventually } from "./eventually.ts";

/** The states a client goes through from now on, oldest first. A reconnect may be over before anyone can look at it. */
export function statesOf(client: ZooKeeper): SessionState["kind"][] {
  const kinds: SessionState["kind"][] = [];
  client.onState((state) => void kinds.push(state.kind));
  return kinds;
}

/** Runs `breakLink` and waits until the client has lost its connection and has another. */
export async function reconnected(client: ZooKeeper, breakLink: () => void): Promise<void> {
  await client.connected();
  const states = statesOf(client);
  breakLink();
  await eventually(() => states.join() === "suspended,connected");
}
