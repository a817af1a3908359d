import { DeployError } from "../core/errors.ts";
import type { TrafficEffects } from "./effects.ts";
import { runTool, type ToolPurpose } from "./tool.ts";

/** The kernel's two interfaces, whose rules do not see each other: x_tables, and nftables, its successor. */
export type IptablesVariant = "legacy" | "nft";

/** The programs for one address family and variant. */
export interface IptablesPrograms {
  readonly save: string;
  readonly restore: string;
}

/**
 * Which variant the command `iptables` uses, and so everybody who just calls it by that name. Versions before 1.8 do not
 * say: they know only one.
 *
 * @throws DeployError `traffic-failed` if there is no such command; `aborted`
 */
export async function spokenVariant(use: ToolPurpose, effects: TrafficEffects): Promise<IptablesVariant> {
  const version = await runTool({ ...use, argv: ["iptables", "--version"] }, effects);
  return version.includes("(nf_tables)") ? "nft" : "legacy";
}

/**
 * The programs of one variant: those with the variant in their names, or the plain ones if they use it. Null if the host
 * has none.
 */
export function programsFor(
  command: "iptables" | "ip6tables",
  variant: IptablesVariant,
  spoken: IptablesVariant | null,
  effects: TrafficEffects,
): IptablesPrograms | null {
  const names = [`${command}-${variant}`, ...(variant === spoken ? [command] : [])];
  const name = names.find((each) => effects.find(`${each}-save`) !== null && effects.find(`${each}-restore`) !== null);
  return name === undefined ? null : { save: `${name}-save`, restore: `${name}-restore` };
}

export function noPrograms(variant: IptablesVariant, what: string): DeployError {
  return new DeployError(`Cannot ${what}: this host has no iptables for the variant "${variant}".`, {
    code: "traffic-failed",
    hint: `Install the package iptables with iptables-${variant}-restore in it, or set traffic.variant to "auto".`,
  });
}

/**
 * Whether the legacy table nat was used since the host started. Only then may the legacy programs read it: they would
 * create it, and every iptables-nft would warn of it from then on.
 */
export async function hasLegacyNat(command: "iptables" | "ip6tables", effects: TrafficEffects): Promise<boolean> {
  const names = await effects.read(command === "iptables" ? "/proc/net/ip_tables_names" : "/proc/net/ip6_tables_names");
  return names?.split("\n").includes("nat") === true;
}

/** Whether IPv6 works: if it is compiled in and not switched off, at least the loopback's address is listed. */
export async function hasIpv6(effects: TrafficEffects): Promise<boolean> {
  return ((await effects.read("/proc/net/if_inet6")) ?? "").trim() !== "";
}
