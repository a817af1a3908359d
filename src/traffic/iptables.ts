import type { Instance, TrafficSpec } from "../core/traffic.ts";
import { instancePorts, portOf, portsOfThose } from "./instance_ports.ts";
import {
  hasIpv6,
  hasLegacyNat,
  type IptablesPrograms,
  type IptablesVariant,
  noPrograms,
  programsFor,
  spokenVariant,
} from "./iptables_programs.ts";
import { natChange, natRemoval } from "./iptables_rules.ts";
import { ownName } from "./own_name.ts";
import type { Traffic, TrafficEffects } from "./effects.ts";
import { openAt } from "./open_connections.ts";
import { isRefusal, runTool, toolFailure, tryTool } from "./tool.ts";

/** XT_EXTENSION_MAXNAMELEN: a chain's name has at most 28 characters. */
const LONGEST_CHAIN_NAME = 28;

/** Seconds to wait for another program that changes rules (/run/xtables.lock). */
const LOCK_WAIT_S = "5";

/**
 * Redirects the clients' port to the instances that are on, by a chain of our own in the table nat, for hosts whose other
 * rules are also iptables rules. Each change is one `iptables-restore --noflush` per address family; established
 * connections live on. The instances must listen on all addresses of the host.
 *
 * @throws DeployError `config-invalid` if an instance has no port of its own
 */
export function iptablesTraffic(
  spec: Extract<TrafficSpec, { by: "iptables" }>,
  service: string,
  instances: readonly Instance[],
  effects: TrafficEffects,
  timeoutMs: number,
): Traffic {
  const own = instancePorts("iptables", service, instances, spec.port);
  const chain = iptablesChainName(service);
  const useFor = (what: string, signal: AbortSignal) => ({
    what: `${what} port ${spec.port} of ${service}`,
    hint: `See the chain ${chain} in: iptables-save -t nat.`,
    timeoutMs,
    signal,
  });
  type Use = ReturnType<typeof useFor>;

  const dump = async (programs: IptablesPrograms, use: Use): Promise<string> =>
    await runTool({ ...use, argv: [programs.save, "-t", "nat"] }, effects);

  const restore = async (programs: IptablesPrograms, input: string | null, use: Use): Promise<void> => {
    if (input === null) return;
    await runTool({ ...use, argv: [programs.restore, "--noflush", "-w", LOCK_WAIT_S], input }, effects);
  };

  /** Removes our rules from one variant, if the host has it. */
  const removeFrom = async (variant: IptablesVariant, spoken: IptablesVariant | null, use: Use): Promise<void> => {
    for (const command of ["iptables", "ip6tables"] as const) {
      if (variant === "legacy" && !(await hasLegacyNat(command, effects))) continue;
      const programs = programsFor(command, variant, spoken, effects);
      if (programs === null) continue;
      const listing = { ...use, argv: [programs.save, "-t", "nat"] };
      const result = await tryTool(listing, effects);
      if (isRefusal(result)) throw toolFailure(listing, result);
      // A kernel without this variant or address family has no rules of it.
      if (result.code !== 0) continue;
      await restore(programs, natRemoval(chain, result.stdout), use);
    }
  };

  const steer = async (on: readonly string[], signal: AbortSignal): Promise<void> => {
    const rules = { chain, front: spec.port, backs: portsOfThose(own, on) };
    const use = useFor("steer", signal);
    const spoken = await spokenVariant(use, effects);
    const variant = spec.variant === "auto" ? spoken : spec.variant;
    const programs = programsFor("iptables", variant, spoken, effects);
    if (programs === null) throw noPrograms(variant, use.what);
    await restore(programs, natChange(rules, await dump(programs, use)), use);

    const programs6 = (await hasIpv6(effects)) ? programsFor("ip6tables", variant, spoken, effects) : null;
    if (programs6 !== null) {
      const result = await tryTool({ ...use, argv: [programs6.save, "-t", "nat"] }, effects);
      // A kernel without NAT for IPv6 has nothing to steer.
      if (result.code === 0) await restore(programs6, natChange(rules, result.stdout), use);
    }
    // Rules left from before the host's alternatives were switched would keep redirecting as they did then.
    await removeFrom(variant === "nft" ? "legacy" : "nft", spoken, use);
  };

  return {
    steer,
    taken: async () => {},
    busy: async (instance) => await openAt(portOf(own, instance), effects),
    refused: async () => null,
    remove: async (signal) => {
      const use = useFor("stop steering", signal);
      const spoken = effects.find("iptables") === null ? null : await spokenVariant(use, effects);
      await removeFrom("legacy", spoken, use);
      await removeFrom("nft", spoken, use);
    },
  };
}

export function iptablesChainName(service: string): string {
  return ownName("DEPLOYD_", service, LONGEST_CHAIN_NAME);
}
