import { isWithin, parseIpAddress, type IpNetwork } from "../schema/ip_network.ts";

/** To whom the fleet is shown; the file of whoever shows it says so. */
export interface VisitorRules {
  /** By which names this page may be asked for, beside its addresses and "localhost". */
  readonly names: readonly string[];
  /** From which networks; null for all. */
  readonly from: readonly IpNetwork[] | null;
}

/**
 * Whether the Host header names this machine by an address, or by a name that is known. A page in a browser that has its
 * own name resolve to this machine (DNS rebinding) could otherwise read what is shown only here.
 */
export function isKnownName(header: string, names: readonly string[]): boolean {
  const name = URL.parse(`http://${header}/`)?.hostname.replace(/^\[(.*)\]$/, "$1");
  if (name === undefined || name === "") return false;
  return name === "localhost" || names.some((each) => name === each.toLowerCase()) || parseIpAddress(name) !== null;
}

/** By which name a request was made. What no browser sends, one without the header, is for whoever it has reached. */
export function hostOf(request: Request): string {
  return request.headers.get("host") ?? new URL(request.url).host;
}

/** @param peer the address that a request came from */
export function isWelcome(peer: string | undefined, from: VisitorRules["from"]): boolean {
  if (from === null) return true;
  const address = parseIpAddress(peer ?? "");
  return address !== null && from.some((network) => isWithin(address, network));
}
