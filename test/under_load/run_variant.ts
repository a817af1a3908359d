import { tempDir } from "../harness/tempdir.ts";
import { FRONT_PORT, readEvents, type AppEvent } from "./app.ts";
import { startDeployed } from "./deployed.ts";
import { bringUp, rollUnderLoad, type RolledOnce } from "./drive.ts";
import { HAPROXY_BACKEND, haproxySocket, OVER_THE_CABLE, spreadForGood, startHaproxy } from "./fronts.ts";
import {
  LOCAL_CLIENTS,
  localTargets,
  ORDINARY_CLIENTS,
  remoteTargets,
  startLoad,
  type Clients,
  type Load,
  type Pace,
  type LoadReport,
} from "./load.ts";
import { makeNetwork, type Network } from "./network.ts";
import { rollInLoop } from "./loop.ts";
import { rollOnMachine } from "./machine.ts";
import type { Variant } from "./variants.ts";

export interface Outcome {
  readonly rolls: readonly RolledOnce[];
  /** One report for each place that clients were at. */
  readonly loads: readonly LoadReport[];
  readonly events: readonly AppEvent[];
}

/** Restarts all copies of a service `rolls` times in a row, under load, as the variant says. */
export async function runVariant(variant: Variant, rolls: number, pace: Pace = "full"): Promise<Outcome> {
  switch (variant.strategy) {
    case "systemd-socket":
    case "socket-restart":
      return rollOnMachine(variant, rolls);
    case "loop":
      return rollInLoop(variant, rolls);
    default:
      return rollInNetwork(variant, rolls, pace);
  }
}

async function rollInNetwork(variant: Variant, rolls: number, pace: Pace): Promise<Outcome> {
  await using dir = await tempDir();
  await using network = await makeNetwork();
  const { strategy, clients, drain, retries } = variant;
  const protocol = clients === "line" ? "line" : "http";
  const mode = protocol === "line" ? "tcp" : "http";
  if (strategy === "haproxy") await startHaproxy(network.host, dir.path, { mode, to: "127.0.0.1" });
  if (strategy === "reject") {
    await startHaproxy(network.clients, dir.path, {
      mode,
      to: OVER_THE_CABLE,
      ...(retries === undefined ? {} : { retries }),
    });
  }
  if (strategy === "plain") await spreadForGood(network);
  const traffic = trafficSection(variant, dir.path);
  await using host = await startDeployed(network, dir.path, { manners: variant, protocol, traffic, drain });
  try {
    await bringUp(host);
    const loads = await startLoads(network, variant, pace);
    const rolled = await rollUnderLoad(host, loads, rolls);
    const reports = await Promise.all(loads.map((load) => load.stop()));
    return { rolls: rolled, loads: reports, events: await readEvents(host.events) };
  } catch (error) {
    throw new Error(`${String(error)}\n${await host.account()}`, { cause: error });
  }
}

/** Lines of [services.web.traffic]. */
function trafficSection({ strategy, clients }: Variant, dir: string): string {
  // What is asked through the front is, unless said, what the check asks a copy, and that is HTTP.
  const probe = clients === "line" ? `\nprobe = "tcp://127.0.0.1:${FRONT_PORT}"` : "";
  switch (strategy) {
    case "haproxy":
      return `by = "haproxy"\nsocket = "${haproxySocket(dir)}"\nbackend = "${HAPROXY_BACKEND}"`;
    case "nft":
      return `by = "nft"\nport = ${FRONT_PORT}${probe}`;
    case "iptables-legacy":
    case "iptables-nft":
      return `by = "iptables"\nport = ${FRONT_PORT}\nvariant = "${strategy.slice("iptables-".length)}"`;
    case "reject":
      return 'by = "reject"';
    default:
      return 'by = "none"';
  }
}

function clientsOf({ clients }: Variant): Clients {
  switch (clients) {
    case "http":
      return ORDINARY_CLIENTS;
    case "webSocket":
      return { ...ORDINARY_CLIENTS, webSocket: 8 };
    case "line":
      return { line: 24 };
  }
}

async function startLoads(network: Network, variant: Variant, pace: Pace): Promise<Load[]> {
  // The balancer outside is the clients' own.
  if (variant.strategy === "reject") {
    return [await startLoad(network.clients, localTargets(FRONT_PORT), clientsOf(variant), pace)];
  }
  const local: Clients = variant.clients === "line" ? { line: 4 } : LOCAL_CLIENTS;
  return await Promise.all([
    startLoad(network.clients, remoteTargets(FRONT_PORT), clientsOf(variant), pace),
    startLoad(network.host, localTargets(FRONT_PORT), local, pace),
  ]);
}
