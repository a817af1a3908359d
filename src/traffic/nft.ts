import type { Instance, TrafficSpec } from "../core/traffic.ts";
import { instancePorts, portOf, portsOfThose } from "./instance_ports.ts";
import { applyTable, LONGEST_TABLE_NAME, type NftTable, removeTable } from "./nft_table.ts";
import { ownName } from "./own_name.ts";
import type { Traffic, TrafficEffects } from "./effects.ts";
import { openAt } from "./open_connections.ts";

/**
 * Redirects the clients' port to the instances that are on, in turn, by a table of our own. It acts only on the first
 * packet of a connection, so established ones stay where they are. The instances must listen on all addresses of the
 * host: a redirected connection from outside reaches them on the address that it came in by.
 *
 * @throws DeployError `config-invalid` if an instance has no port of its own
 */
export function nftTraffic(
  spec: Extract<TrafficSpec, { by: "nft" }>,
  service: string,
  instances: readonly Instance[],
  effects: TrafficEffects,
  timeoutMs: number,
): Traffic {
  const own = instancePorts("nft", service, instances, spec.port);
  const name = nftTableName(service);
  const use = (what: string, signal: AbortSignal) => ({
    what: `${what} port ${spec.port} of ${service}`,
    hint: `See: nft list table inet ${name}. If it was changed by hand, delete it, and deployd creates it again.`,
    timeoutMs,
    signal,
  });
  return {
    steer: async (on, signal) => {
      await applyTable(redirectTable(name, spec.port, portsOfThose(own, on)), use("steer", signal), effects);
    },
    taken: async () => {},
    busy: async (instance) => await openAt(portOf(own, instance), effects),
    refused: async () => null,
    remove: (signal) => removeTable(name, use("stop steering", signal), effects),
  };
}

export function nftTableName(service: string): string {
  return ownName("deployd_", service, LONGEST_TABLE_NAME);
}

/** Connections from other hosts pass prerouting, those of this host output; each hook has its own round robin. */
export function redirectTable(name: string, front: number, backs: readonly number[]): NftTable {
  const rules = redirects(backs).map((then) => `fib daddr type local tcp dport ${front} ${then}`);
  return {
    name,
    counters: [],
    chains: ["prerouting", "output"].map((hook) => ({
      name: hook,
      hook: `type nat hook ${hook} priority -100; policy accept;`,
      rules,
    })),
  };
}

function redirects(backs: readonly number[]): string[] {
  const last = backs.at(-1);
  // With no instance on, the rule uses connection tracking and does nothing else: the kernel switches tracking off with
  // the last rule that needs it, and established connections would no longer be translated and would be reset (measured).
  if (last === undefined) return ["ct state new return"];
  const plain = `redirect to :${last}`;
  if (backs.length === 1) return [plain];
  const turns = backs.map((port, turn) => `${turn} : ${port}`).join(", ");
  // For each packet the rules are swapped atomically, but the old map ends at once, also for a packet that is just
  // between the two: it finds nothing there and would be refused (measured: one in 70,000 with 30 changes a second).
  return [`redirect to :numgen inc mod ${backs.length} map { ${turns} }`, plain];
}
