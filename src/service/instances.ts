import type { Instance, TrafficSpec } from "../core/traffic.ts";
import type { ServiceConfig } from "../schema/agent_config.ts";
import type { HostInstance } from "./command_context.ts";

/** The name of the only instance of a service for which agent.toml names none. */
const ONLY = "1";

/** The instances of a service on this host; a single one without a port where agent.toml names none. */
export function hostInstances(section: ServiceConfig): HostInstance[] {
  const named = section.instances ?? [{ name: ONLY, env: {} }];
  return named.map(({ name, port, env }) => ({ name, port: port ?? null, env, alone: named.length === 1 }));
}

/** What the traffic back ends need to know of the service. */
export function trafficSpec(section: ServiceConfig): { spec: TrafficSpec; instances: readonly Instance[] } {
  const instances = hostInstances(section).map(({ name, port }) => ({ name, port }));
  return { spec: section.traffic, instances };
}

/**
 * The settings to clean up with, on a host that used another back end before: firewall rules stay in the kernel, whatever
 * agent.toml says now. The other back ends leave nothing that this host could undo without their settings. The port is
 * not needed for that.
 */
export function formerSpec(by: TrafficSpec["by"]): TrafficSpec | null {
  switch (by) {
    case "nft":
      return { by, port: 0 };
    case "iptables":
      return { by, port: 0, variant: "auto" };
    case "reject":
      return { by };
    case "none":
    case "haproxy":
    case "hook":
      return null;
  }
}
