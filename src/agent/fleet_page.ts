import { pageApp, type PageApp } from "../page/app.ts";
import type { AgentConfig } from "../schema/agent_config.ts";
import { networksIn } from "../schema/ip_network.ts";
import type { Machine } from "../machine/machine.ts";
import { assertFormat } from "../store/format.ts";
import { onAbort } from "../support/abort.ts";
import { FleetFeed } from "../watch/fleet_feed.ts";
import { ZooKeeper, type ZooKeeperOptions } from "../zookeeper/client.ts";

interface FleetPageOptions {
  readonly config: AgentConfig & { readonly host: string };
  readonly version: string;
  readonly machine: Machine;
  /** How this agent connects to ZooKeeper. */
  readonly zookeeper: ZooKeeperOptions;
}

interface FleetPage extends AsyncDisposable {
  readonly app: PageApp | null;
}

/** So long a connection is waited for, in milliseconds. */
const CONNECT_MS = 10_000;

/** The fleet for a browser, as the agent's file wants it shown: with a session of its own, only while somebody looks. */
export function fleetPage({ config, version, machine, zookeeper }: FleetPageOptions): FleetPage {
  const { page, host } = config;
  if (!page.show) return { app: null, [Symbol.asyncDispose]: async () => {} };
  const { clock } = machine;
  const open = async (signal: AbortSignal): Promise<ZooKeeper> => {
    const client = new ZooKeeper(zookeeper);
    const forget = onAbort(signal, () => void client.close());
    try {
      await client.connected({ signal: AbortSignal.any([signal, clock.deadline(CONNECT_MS)]) });
      await assertFormat(client, version);
      return client;
    } catch (error) {
      forget();
      await client.close();
      throw error;
    }
  };
  const feed = new FleetFeed({ open, clock });
  const app = pageApp({
    feed,
    clock,
    version,
    rules: { names: [host, ...page.names], from: networksIn(page.from) },
    hint: 'name it in agent.toml of this host, under [page], as names = ["deploys.example.com"] or from = ["10.0.0.0/8"]',
  });
  return { app, [Symbol.asyncDispose]: () => feed[Symbol.asyncDispose]() };
}
