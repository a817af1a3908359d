import { createHash } from "node:crypto";
import { BlockList, isIP, isIPv6 } from "node:net";
import { Perms, type Acl } from "../znode.ts";
import { Refusal } from "./reply.ts";

/** An identity that a connection has proved; for digest, the id holds the hash and not the password. */
export interface ProvedId {
  readonly scheme: string;
  readonly id: string;
}

/** The id under which digest credentials `user:password` stand in an access list: `user:base64(sha1(user:password))`. */
export function digestId(credentials: string): string {
  const user = credentials.split(":", 1)[0] ?? "";
  return `${user}:${createHash("sha1").update(credentials).digest("base64")}`;
}

/** Whether one of `ids` has at least one of the permission bits in `perms`. */
export function hasPermission(acl: readonly Acl[], perms: number, ids: readonly ProvedId[]): boolean {
  return acl.some((entry) => {
    if ((entry.perms & perms) === 0) return false;
    if (entry.scheme === "world" && entry.id === "anyone") return true;
    return ids.some((each) => each.scheme === entry.scheme && matches(each, entry.id));
  });
}

/** @throws Refusal NO_AUTH unless one of `ids` has at least one of the permission bits in `perms` */
export function requirePermission(acl: readonly Acl[], perms: number, ids: readonly ProvedId[]): void {
  if (!hasPermission(acl, perms, ids)) throw new Refusal("NO_AUTH");
}

/** An entry for an address may be for a network: `127.0.0.0/8`. */
function matches({ scheme, id }: ProvedId, wanted: string): boolean {
  const [network = "", bits] = wanted.split("/");
  if (scheme !== "ip" || bits === undefined) return id === wanted;
  const family = isIPv6(id) ? "ipv6" : "ipv4";
  if ((isIPv6(network) ? "ipv6" : "ipv4") !== family) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family);
  return list.check(id, family);
}

/**
 * An access list as it is stored: checked, without duplicates, and `auth` replaced by what the connection has proved.
 * @throws Refusal INVALID_ACL
 */
export function resolveAcl(acl: readonly Acl[], ids: readonly ProvedId[]): Acl[] {
  const resolved: Acl[] = [];
  for (const entry of acl) {
    const expanded = entry.scheme === "auth" ? provedBy(entry, ids) : [checked(entry)];
    for (const each of expanded) {
      const known = resolved.some((it) => it.perms === each.perms && it.scheme === each.scheme && it.id === each.id);
      if (!known) resolved.push(each);
    }
  }
  if (resolved.length === 0) throw new Refusal("INVALID_ACL");
  return resolved;
}

function provedBy(entry: Acl, ids: readonly ProvedId[]): Acl[] {
  // An IP address does not prove who is behind it.
  const proved = ids.filter((each) => each.scheme !== "ip");
  if (proved.length === 0) throw new Refusal("INVALID_ACL");
  return proved.map((each) => ({ perms: entry.perms, scheme: each.scheme, id: each.id }));
}

function checked(entry: Acl): Acl {
  const valid =
    (entry.scheme === "world" && entry.id === "anyone") ||
    (entry.scheme === "digest" && entry.id.split(":").length === 2) ||
    (entry.scheme === "ip" && isAddressOrNetwork(entry.id));
  if (!valid) throw new Refusal("INVALID_ACL");
  return entry;
}

function isAddressOrNetwork(id: string): boolean {
  const [address = "", bits, ...more] = id.split("/");
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32));
}

/** An access list as someone without the right to change it sees it: the hashes of passwords hidden. */
export function withoutHashes(acl: readonly Acl[]): Acl[] {
  return acl.map((entry) => (entry.scheme === "digest" ? { ...entry, id: entry.id.replace(/:.*/, ":x") } : entry));
}

export function mayAdminister(acl: readonly Acl[], ids: readonly ProvedId[]): boolean {
  return hasPermission(acl, Perms.admin, ids);
}
