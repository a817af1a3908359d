import { thousandthsOf, WHOLE, type PercentText } from "../schema/percent.ts";

/*
 * Which hosts a percentage of the fleet is. Each host has a share of each deploy, a number that depends on their names
 * alone; a percentage is a threshold, and the hosts whose share lies below it are reached. So whether a host is reached
 * never depends on other hosts: one that joins needs no other rule, and takes nobody's place.
 */

/**
 * The host's share of the deploy: uniform in [0, 1), the same on every machine and for ever, and of one deploy unrelated
 * to that of another, so that not always the same hosts go first.
 *
 * It is made of 53 bits, as many as a number holds: two of 10,000 hosts have the same one in one deploy of 180 million. With
 * 32 bits they would in one of 86.
 */
export function shareOf(deploy: string, host: string): number {
  const text = `${deploy}/${host}`;
  const high = murmur3(text, 0) >>> 5;
  const low = murmur3(text, 0x9e3779b9) >>> 6;
  return (high * 2 ** 26 + low) / 2 ** 53;
}

/**
 * The threshold below which lie the shares of so many percent of the hosts, rounded up to whole hosts. It lies midway
 * between two of them, since hosts that join later are then as likely on either side. Where hosts have the same share it
 * cannot come between them, and more are below it; never fewer.
 */
export function thresholdFor(deploy: string, hosts: Iterable<string>, percent: PercentText): number {
  const thousandths = thousandthsOf(percent);
  if (thousandths === WHOLE) return 1;
  const shares = Float64Array.from(Array.from(hosts, (host) => shareOf(deploy, host))).toSorted();
  return thresholdOf(shares, Math.ceil((shares.length * thousandths) / WHOLE)) ?? thousandths / WHOLE;
}

/**
 * The number that has `count` of the shares below it.
 *
 * @param shares sorted
 * @returns null where no share, or none of them, is to be below it
 */
export function thresholdOf(shares: Float64Array, count: number): number | null {
  const last = shares[count - 1];
  if (last === undefined) return null;
  const next = shares.subarray(count).find((share) => share > last) ?? 1;
  const midway = (last + next) / 2;
  // Between two neighbouring floating-point numbers there is no other, and the one in the middle is rounded to either.
  return midway > last ? midway : next;
}

/**
 * MurmurHash3_x86_32 by Austin Appleby, who put it into the public domain
 * (https://github.com/aappleby/smhasher/wiki/MurmurHash3). It is chosen because it mixes short texts that differ in one
 * digit as well as any, needs nothing but 32-bit arithmetic, and has a second implementation in the runtime that the tests
 * compare it with. It is not for keeping secrets. The text is taken as ASCII, which names are (schema/names.ts).
 */
export function murmur3(text: string, seed: number): number {
  const whole = text.length & ~3;
  let hash = seed;
  for (let at = 0; at < whole; at += 4) {
    hash ^= scrambled(blockAt(text, at, 4));
    hash = Math.imul(rotated(hash, 13), 5) + 0xe6546b64;
  }
  hash ^= scrambled(blockAt(text, whole, text.length - whole)) ^ text.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Up to four characters as a number, the first of them lowest. */
function blockAt(text: string, at: number, length: number): number {
  let block = 0;
  for (let i = length - 1; i >= 0; i--) block = (block << 8) | (text.charCodeAt(at + i) & 0xff);
  return block;
}

function scrambled(block: number): number {
  return Math.imul(rotated(Math.imul(block, 0xcc9e2d51), 15), 0x1b873593);
}

function rotated(bits: number, by: number): number {
  return (bits << by) | (bits >>> (32 - by));
}
