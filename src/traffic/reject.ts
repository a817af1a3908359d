import type { Instance } from "../core/traffic.ts";
import { instancePorts, portOf } from "./instance_ports.ts";
import { applyTable, LONGEST_TABLE_NAME, listTable, type NftTable, removeTable } from "./nft_table.ts";
import { ownName } from "./own_name.ts";
import type { Traffic, TrafficEffects } from "./effects.ts";
import { openAt } from "./open_connections.ts";

const COUNTER = "refused";

/**
 * Refuses new connections from other hosts to instances that are off, at once and with a reset: an external balancer then
 * tries the next host, whereas a silent drop would cost it a second or more. This host's own connections are let through,
 * so that the instance can be checked.
 *
 * @throws DeployError `config-invalid` if an instance has no port of its own
 */
export function rejectTraffic(
  service: string,
  instances: readonly Instance[],
  effects: TrafficEffects,
  timeoutMs: number,
): Traffic {
  const own = instancePorts("reject", service, instances, null);
  const name = rejectTableName(service);
  const use = (what: string, signal: AbortSignal) => ({
    what: `${what} connections to ${service}`,
    hint: `See: nft list table inet ${name}. If it was changed by hand, delete it, and deployd creates it again.`,
    timeoutMs,
    signal,
  });
  return {
    steer: async (on, signal) => {
      for (const instance of on) portOf(own, instance);
      const off = [...own].filter(([instance]) => !on.includes(instance)).map(([, port]) => port);
      await applyTable(rejectTable(name, off), use("refuse", signal), effects);
    },
    taken: async () => {},
    busy: async (instance) => await openAt(portOf(own, instance), effects),
    refused: async (signal) => {
      const listing = await listTable(name, use("count refused", signal), effects);
      return Number(/counter refused \{\s*packets (\d+)/.exec(listing ?? "")?.[1] ?? 0);
    },
    remove: (signal) => removeTable(name, use("stop refusing", signal), effects),
  };
}

/** No service's `nft` table can have this name: theirs begin with `deployd_`. */
export function rejectTableName(service: string): string {
  return ownName("deploydreject_", service, LONGEST_TABLE_NAME);
}

/** It runs before the host's own filters, which might accept or drop. Verdicts of other tables cannot undo a reject. */
export function rejectTable(name: string, off: readonly number[]): NftTable {
  return {
    name,
    counters: [COUNTER],
    chains: [
      {
        name: "input",
        hook: "type filter hook input priority -10; policy accept;",
        rules: off.map(
          (port) =>
            `iifname != "lo" tcp dport ${port} tcp flags & (syn | ack) == syn counter name "${COUNTER}" reject with tcp reset`,
        ),
      },
    ],
  };
}
