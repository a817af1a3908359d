import { DeployError } from "../core/errors.ts";
import type { Digest } from "./digest.ts";
import { printable } from "./printable.ts";

const SHOWN_DIGITS = 12;

function shortened(digest: Digest): string {
  return `${digest.slice("sha256:".length, "sha256:".length + SHOWN_DIGITS)}…`;
}

/**
 * Compares a file's size and SHA-256 with what was promised. Who fetched the file must delete it when this throws, or the
 * next fetch would take it for a finished one.
 *
 * @param expected `size` in bytes; `label` is how messages name the build
 * @throws DeployError `digest-mismatch`
 */
export function requireDigest(
  actual: { readonly digest: Digest; readonly bytes: number },
  expected: { readonly digest: Digest; readonly size: number; readonly label: string },
): void {
  const differs =
    actual.bytes !== expected.size
      ? `expected ${expected.size} bytes, got ${actual.bytes}`
      : actual.digest !== expected.digest
        ? `expected sha256 ${shortened(expected.digest)}, got ${shortened(actual.digest)}`
        : undefined;
  if (differs === undefined) return;
  throw new DeployError(`Cannot verify "${printable(expected.label)}": ${differs}.`, {
    code: "digest-mismatch",
    hint: "Upload the build again, or fix its digest.",
  });
}
