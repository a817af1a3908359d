import { DeployError } from "../../core/errors.ts";
import { printable } from "../../support/printable.ts";

/**
 * The fields of a tar header: POSIX.1-2017, "pax", section "ustar Interchange Format"; the base-256 numbers are GNU
 * tar's ("Basic Tar Format" in its manual).
 */

export const BLOCK_BYTES = 512;

const CHECKSUM_AT = 148;
const CHECKSUM_END = 156;
const SPACE = 0x20;
const ZERO = 0x30;

// A byte order mark must stay part of the name, or two names would become one.
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The hint for both formats of sparse files, which come from the same flags. */
export const SPARSE_HINT = "Make the archive by GNU tar without -S (--sparse), or by bsdtar with --no-read-sparse.";

export function invalidArchive(what: string, hint = "Pack the build again, and upload it again."): DeployError {
  return new DeployError(`Cannot unpack the archive: ${what}.`, { code: "archive-invalid", hint });
}

/** @param hint how to avoid it, if an honest tool makes such archives too */
export function hostileArchive(
  name: string,
  why: string,
  hint = "Find out where this build comes from; `deployd pack` never makes such an archive.",
): DeployError {
  return new DeployError(`Cannot unpack "${printable(name)}": ${printable(why)}. The whole archive is refused.`, {
    code: "archive-hostile",
    hint,
  });
}

/** Decodes text without loss: bytes that are not UTF-8 are refused, because two names could become one. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw hostileArchive(
      Buffer.from(bytes).toString("latin1"),
      "the name is not valid UTF-8",
      "Rename it, or leave it out.",
    );
  }
}

/** A text field, which ends at its first NUL or at its full length. */
export function readText(block: Uint8Array, at: number, length: number): string {
  const end = block.subarray(at, at + length).indexOf(0);
  return decodeText(block.subarray(at, at + (end === -1 ? length : end)));
}

/** A number in octal digits or in base 256; an empty field is 0. Negative numbers only exist in base 256. */
export function readNumber(block: Uint8Array, at: number, length: number): number {
  const first = block[at] ?? 0;
  if (first === 0x80 || first === 0xff) return readBase256(block, at, length, first === 0xff);
  let i = at;
  const end = at + length;
  while (i < end && block[i] === SPACE) i += 1;
  let value = 0;
  for (; i < end; i += 1) {
    const digit = (block[i] ?? 0) - ZERO;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  for (; i < end; i += 1) {
    if (block[i] !== SPACE && block[i] !== 0) {
      const text = Buffer.from(block.subarray(at, end)).toString("latin1");
      throw invalidArchive(`a header has "${printable(text)}" where a number belongs`);
    }
  }
  return value;
}

function readBase256(block: Uint8Array, at: number, length: number, negative: boolean): number {
  let value = negative ? -1 : 0;
  for (let i = at + 1; i < at + length; i += 1) value = value * 256 + (block[i] ?? 0);
  if (!Number.isSafeInteger(value)) throw invalidArchive("a header has a number beyond 2^53");
  return value;
}

export function isZeroBlock(block: Uint8Array): boolean {
  for (let i = 0; i < BLOCK_BYTES; i += 1) if (block[i] !== 0) return false;
  return true;
}

/** The sum of the header's bytes, with its checksum field counted as spaces. */
export function headerChecksum(block: Uint8Array): number {
  let sum = (CHECKSUM_END - CHECKSUM_AT) * SPACE;
  for (let i = 0; i < CHECKSUM_AT; i += 1) sum += block[i] ?? 0;
  for (let i = CHECKSUM_END; i < BLOCK_BYTES; i += 1) sum += block[i] ?? 0;
  return sum;
}

export function hasValidChecksum(block: Uint8Array): boolean {
  const field = Buffer.from(block.subarray(CHECKSUM_AT, CHECKSUM_END)).toString("latin1");
  const digits = /^ *([0-7]+)[ \0]*$/.exec(field)?.[1];
  return digits !== undefined && Number.parseInt(digits, 8) === headerChecksum(block);
}
