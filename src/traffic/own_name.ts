/** Length of the hash that is appended to a name that had to be changed, in hexadecimal digits. */
const HASH_DIGITS = 8;

const HASHED = new RegExp(`_[0-9a-f]{${HASH_DIGITS}}$`);

/**
 * The name of deployd's own object in the system for one service: `prefix` and the service's name, if that consists of
 * letters, digits and underscores and fits. Any other name gets a hash appended, and so does one that looks hashed, so
 * that two services never share a name.
 *
 * @param maxLength in characters, including `prefix`
 */
export function ownName(prefix: string, service: string, maxLength: number): string {
  const room = maxLength - prefix.length;
  if (/^[A-Za-z0-9_]+$/.test(service) && service.length <= room && !HASHED.test(service)) return `${prefix}${service}`;
  const hash = new Bun.CryptoHasher("sha256").update(service).digest("hex").slice(0, HASH_DIGITS);
  const readable = service.replaceAll(/[^A-Za-z0-9_]/g, "_").slice(0, room - HASH_DIGITS - 1);
  return `${prefix}${readable}_${hash}`;
}
