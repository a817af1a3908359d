import type { Instance, TrafficSpec } from "../core/traffic.ts";
import { haproxyTraffic } from "./haproxy.ts";
import { hookTraffic } from "./hook.ts";
import { iptablesTraffic } from "./iptables.ts";
import { nftTraffic } from "./nft.ts";
import type { Traffic, TrafficEffects } from "./effects.ts";
import { rejectTraffic } from "./reject.ts";

/**
 * What keeps new connections from the instances of a service, as configured in the host's own file. Nothing is asked or
 * changed yet.
 *
 * @param instances all instances of the service on this host
 * @param timeoutMs for each change and each query, in milliseconds
 * @throws DeployError `config-invalid` if the back end cannot be used with these instances
 */
export function trafficFor(
  spec: TrafficSpec,
  service: string,
  instances: readonly Instance[],
  effects: TrafficEffects,
  timeoutMs: number,
): Traffic {
  switch (spec.by) {
    case "none":
      return noTraffic();
    case "nft":
      return nftTraffic(spec, service, instances, effects, timeoutMs);
    case "iptables":
      return iptablesTraffic(spec, service, instances, effects, timeoutMs);
    case "haproxy":
      return haproxyTraffic(spec, service, instances, effects, timeoutMs);
    case "reject":
      return rejectTraffic(service, instances, effects, timeoutMs);
    case "hook":
      return hookTraffic(spec, service, instances, effects, timeoutMs);
  }
}

/** For a service whose clients tolerate a restart, or that hands over its socket itself. */
function noTraffic(): Traffic {
  return {
    steer: async () => {},
    taken: async () => {},
    // Nothing keeps new connections away, so waiting for open ones to end would never finish.
    busy: async () => null,
    refused: async () => null,
    remove: async () => {},
  };
}
