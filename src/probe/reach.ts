import {
  isWithin,
  networksIn,
  parseIpAddress,
  parseIpNetwork,
  type IpAddress,
  type IpNetwork,
} from "../schema/ip_network.ts";
import { networkFailure, type ProbeFailure, forbidden } from "./result.ts";

/**
 * What the host allows the probes of a build to reach and to report. The agent that sends them may be root, and their
 * answers leave the host.
 */
export interface Asking {
  /** Names, addresses and networks that may be probed besides this host itself. */
  readonly hosts: readonly string[] | "any";
  /** Whether a failed check may quote the answer it got. */
  readonly quotesAnswers: boolean;
}

/** Resolves names, and knows which addresses are this host's. */
export interface HostNames {
  /** All addresses of a name. Rejects as getaddrinfo(3) fails. */
  lookup(name: string): Promise<readonly string[]>;
  /** The addresses of this host's interfaces. */
  own(): readonly string[];
}

const THIS_HOST = networksIn(["127.0.0.0/8", "::1", "0.0.0.0", "::"]);
/**
 * Link-local addresses, where clouds serve a machine's credentials, some from an address on the machine's own interface.
 * So being on an interface does not make one of these count as the host's own.
 */
const LINK_LOCAL = networksIn(["169.254.0.0/16", "fe80::/10"]);

/**
 * The addresses to connect to for the host of a build's URL. The caller connects to exactly these and does not resolve
 * the name again: the next answer might be a different one.
 */
export async function reach(
  host: string,
  asking: Asking,
  names: HostNames,
): Promise<{ readonly addresses: readonly string[] } | { readonly failure: ProbeFailure }> {
  const name = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  let addresses: readonly string[];
  try {
    addresses = parseIpAddress(name) === null ? await names.lookup(name) : [name];
  } catch (error) {
    return { failure: networkFailure(error) };
  }
  if (addresses.length === 0) return { failure: networkFailure(new Error(`"${name}" has no address`)) };
  const stranger = addresses.find((address) => !mayAsk(name, address, asking, names));
  if (stranger === undefined) return { addresses };
  const named = stranger === name ? `${name} is` : `"${name}" is ${stranger},`;
  return { failure: forbidden("asks another host than this one", `${named} no address of this host.`) };
}

function mayAsk(name: string, text: string, { hosts }: Asking, names: HostNames): boolean {
  if (hosts === "any" || hosts.some((allowed) => sameName(allowed, name))) return true;
  const address = parseIpAddress(text);
  if (address === null) return false;
  return (
    hosts.some((allowed) => isIn(address, parseIpNetwork(allowed))) ||
    THIS_HOST.some((network) => isWithin(address, network)) ||
    (!LINK_LOCAL.some((network) => isWithin(address, network)) && names.own().some((own) => isSame(address, own)))
  );
}

/** A name may end in a dot, which marks it as fully qualified. */
function sameName(one: string, other: string): boolean {
  return one.toLowerCase().replace(/\.$/, "") === other.replace(/\.$/, "");
}

function isIn(address: IpAddress, network: IpNetwork | null): boolean {
  return network !== null && isWithin(address, network);
}

function isSame(address: IpAddress, own: string): boolean {
  const parsed = parseIpAddress(own);
  return parsed !== null && parsed.bits === address.bits && parsed.value === address.value;
}
