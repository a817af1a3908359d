import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../harness/eventually.ts";
import { JOINED, type NetworkNamespace } from "../harness/netns.ts";
import { FRONT_PORT, INSTANCES } from "./app.ts";
import { startProgram, type Network } from "./network.ts";

/*
 * What stands between clients and copies where deployd does not put it there itself.
 */

export const HAPROXY_BACKEND = "web";
const START_MS = 10_000;

interface HaproxyOptions {
  readonly mode: "http" | "tcp";
  /** Address of the copies. */
  readonly to: string;
  /** HAProxy's own defaults unless given. */
  readonly retries?: number;
}

/** Starts HAProxy before all copies; resolves when it listens. Its runtime API is at `haproxySocket(dir)`. */
export async function startHaproxy(
  inside: NetworkNamespace,
  dir: string,
  { mode, to, retries }: HaproxyOptions,
): Promise<void> {
  const config = join(dir, "haproxy.cfg");
  const servers = INSTANCES.map(({ name, port }) => `  server web${name} ${to}:${port} check inter 200ms rise 1`);
  // No time-out of its own closes a connection while a test runs: only restarts may.
  await writeFile(
    config,
    `global
  stats socket ${haproxySocket(dir)} level admin mode 600
  maxconn 1000
defaults
  mode ${mode}
  timeout connect 5s
  timeout client 5m
  timeout server 5m
  option redispatch
  ${mode === "http" ? "timeout http-keep-alive 5m" : ""}
  ${retries === undefined ? "" : `retries ${retries}`}
frontend clients
  bind :::${FRONT_PORT} v4v6
  default_backend ${HAPROXY_BACKEND}
backend ${HAPROXY_BACKEND}
  balance roundrobin
${servers.join("\n")}
`,
  );
  startProgram(inside, ["haproxy", "-db", "-f", config], { log: join(dir, "haproxy.log") });
  await eventually(async () => (await inside.run(["ss", "-Hltn", `sport = :${FRONT_PORT}`])).stdout !== "", START_MS);
}

export function haproxySocket(dir: string): string {
  return join(dir, "haproxy.sock");
}

/** The copies as a balancer outside reaches them. */
export const OVER_THE_CABLE = JOINED.ipv4[0];

/** A spread that nobody ever changes: all that is there without a traffic strategy. */
export async function spreadForGood(network: Network): Promise<void> {
  const turns = INSTANCES.map(({ port }, turn) => `${turn} : ${port}`).join(", ");
  const rule = `tcp dport ${FRONT_PORT} redirect to :numgen inc mod ${INSTANCES.length} map { ${turns} }`;
  await network.host.must(
    ["nft", "-f", "-"],
    `add table inet spread
add chain inet spread prerouting { type nat hook prerouting priority -100; }
add rule inet spread prerouting ${rule}
add chain inet spread output { type nat hook output priority -100; }
add rule inet spread output fib daddr type local ${rule}
`,
  );
}
