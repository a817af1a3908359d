import type { TrafficKind } from "../schema/traffic_sections.ts";
import { hasLegacyNat, programsFor, type IptablesVariant } from "./iptables_programs.ts";
import type { TrafficEffects } from "./effects.ts";
import { isRefusal, packageOf } from "./tool.ts";

/** Whether this host can use a traffic back end, for people. */
export interface TrafficSupport {
  readonly strategy: Exclude<TrafficKind, "none">;
  readonly supported: boolean;
  /** A version, what is special about this host, or why the back end cannot be used. */
  readonly detail: string;
  /** What is required and missing: a package's name or a capability. */
  readonly missing?: string;
}

const TIMEOUT_MS = 10_000;

const CAPABILITY = "CAP_NET_ADMIN";

/**
 * Which traffic back ends this host can use. It only looks: nothing is changed, not even the tables that iptables creates
 * when it is asked for them.
 *
 * @throws DeployError `traffic-failed` if a program does not answer in time; `aborted`
 */
export async function trafficSupport(effects: TrafficEffects, signal: AbortSignal): Promise<readonly TrafficSupport[]> {
  const look = (...argv: string[]) => effects.tool(argv, { timeoutMs: TIMEOUT_MS, signal });
  const nft = await nftSupport(effects, look);
  return [
    { strategy: "nft", ...nft },
    { strategy: "iptables", ...(await iptablesSupport(effects, look)) },
    { strategy: "haproxy", ...(await haproxySupport(effects, look)) },
    { strategy: "reject", ...nft },
    { strategy: "hook", supported: true, detail: "runs the commands of the agent's file" },
  ];
}

type Look = (...argv: string[]) => ReturnType<TrafficEffects["tool"]>;
type Support = Omit<TrafficSupport, "strategy">;

async function nftSupport(effects: TrafficEffects, look: Look): Promise<Support> {
  if (effects.find("nft") === null) return noProgram("nft");
  const version = firstLine((await look("nft", "--version")).stdout);
  const tables = await look("nft", "list", "tables");
  if (isRefusal(tables)) return noRights(version);
  if (tables.code !== 0) {
    return { supported: false, detail: `${version}; the kernel answers: ${firstLine(tables.stderr)}` };
  }
  return { supported: true, detail: version };
}

async function iptablesSupport(effects: TrafficEffects, look: Look): Promise<Support> {
  if (effects.find("iptables") === null) return noProgram("iptables");
  const version = firstLine((await look("iptables", "--version")).stdout);
  const spoken: IptablesVariant = version.includes("(nf_tables)") ? "nft" : "legacy";
  if (!(await mayChangeNetwork(effects))) return noRights(version);
  const programs = programsFor("iptables", spoken, spoken, effects);
  if (programs === null) return noProgram("iptables-restore");
  // Asking the legacy variant for a table that was never used would create it.
  if (spoken === "nft" || (await hasLegacyNat("iptables", effects))) {
    const saved = await look(programs.save, "-t", "nat");
    if (isRefusal(saved)) return noRights(version);
    if (saved.code !== 0) return { supported: false, detail: `${version}; it answers: ${firstLine(saved.stderr)}` };
  }
  const legacyUsed = (await hasLegacyNat("iptables", effects)) || (await hasLegacyNat("ip6tables", effects));
  const notes = [version];
  if (legacyUsed && (await usesNft(effects, spoken, look))) {
    notes.push("both legacy and nft rules are in use, which do not see each other");
  } else if (legacyUsed && spoken === "nft") notes.push("legacy rules are in use, which this iptables does not see");
  if (effects.find("ip6tables") === null) notes.push("IPv4 only: there is no ip6tables");
  return { supported: true, detail: notes.join("; ") };
}

/** Whether iptables-nft has made tables of its own on this host. */
async function usesNft(effects: TrafficEffects, spoken: IptablesVariant, look: Look): Promise<boolean> {
  for (const command of ["iptables", "ip6tables"] as const) {
    const programs = programsFor(command, "nft", spoken, effects);
    if (programs !== null && /^-A /m.test((await look(programs.save)).stdout)) return true;
  }
  return false;
}

async function haproxySupport(effects: TrafficEffects, look: Look): Promise<Support> {
  if (effects.find("haproxy") === null) {
    return {
      supported: false,
      detail: "there is no haproxy here; one elsewhere will do when its socket is on this host",
      missing: packageOf("haproxy"),
    };
  }
  return { supported: true, detail: firstLine((await look("haproxy", "-v")).stdout) };
}

/** Bit of CAP_NET_ADMIN in the masks of /proc/self/status (capability.h). */
const NET_ADMIN = 1n << 12n;

async function mayChangeNetwork(effects: TrafficEffects): Promise<boolean> {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec((await effects.read("/proc/self/status")) ?? "")?.[1];
  return effective !== undefined && (BigInt(`0x${effective}`) & NET_ADMIN) !== 0n;
}

function noProgram(program: string): Support {
  return { supported: false, detail: `there is no program "${program}"`, missing: packageOf(program) };
}

function noRights(version: string): Support {
  return { supported: false, detail: `${version}; the agent may not change the kernel's rules`, missing: CAPABILITY };
}

function firstLine(text: string): string {
  return text.trim().split("\n")[0] ?? "";
}
