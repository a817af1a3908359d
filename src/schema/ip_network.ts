/** An IPv4 or IPv6 address as a number. IPv4 addresses mapped into IPv6 are IPv4 addresses. */
export interface IpAddress {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

export interface IpNetwork extends IpAddress {
  /** How many leading bits all its addresses have in common. */
  readonly prefix: number;
}

const MAPPED_IPV4 = 0xffffn;

/** Null for text that is not an address in its usual form. */
export function parseIpAddress(text: string): IpAddress | null {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** `10.0.0.0/8`, `fd00::/8`; a single address counts as a network of one. Null for anything else. */
export function parseIpNetwork(text: string): IpNetwork | null {
  const [address = "", prefix, ...rest] = text.split("/");
  const parsed = parseIpAddress(address);
  if (parsed === null || rest.length > 0) return null;
  if (prefix === undefined) return { ...parsed, prefix: parsed.bits };
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > parsed.bits) return null;
  return { ...parsed, prefix: Number(prefix) };
}

/** Those of these texts that are networks. */
export function networksIn(texts: readonly string[]): IpNetwork[] {
  return texts.flatMap((text) => parseIpNetwork(text) ?? []);
}

export function isWithin(address: IpAddress, network: IpNetwork): boolean {
  if (address.bits !== network.bits) return false;
  const rest = BigInt(network.bits - network.prefix);
  return address.value >> rest === network.value >> rest;
}

function parseIpv4(text: string): IpAddress | null {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return null;
  const parts = text.split(".").map(Number);
  if (parts.some((part) => part > 255)) return null;
  return { bits: 32, value: parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n) };
}

function parseIpv6(text: string): IpAddress | null {
  if (!/^[0-9a-fA-F:.]+$/.test(text)) return null;
  // As a URL writes it: one form for all spellings, with at most one gap.
  const canonical = URL.parse(`http://[${text}]/`)?.hostname.slice(1, -1);
  if (canonical === undefined) return null;
  const [before = "", after] = canonical.split("::");
  const head = groupsOf(before);
  const tail = groupsOf(after ?? "");
  const gap = after === undefined ? 0 : 8 - head.length - tail.length;
  const groups = [...head, ...Array.from({ length: gap }, () => 0n), ...tail];
  const value = groups.reduce((sum, group) => (sum << 16n) | group, 0n);
  return value >> 32n === MAPPED_IPV4 ? { bits: 32, value: value & 0xffff_ffffn } : { bits: 128, value };
}

function groupsOf(text: string): bigint[] {
  return text === "" ? [] : text.split(":").map((group) => BigInt(`0x${group}`));
}
