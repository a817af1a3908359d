import { open } from "node:fs/promises";
import { DeployError } from "../core/errors.ts";
import type { Digest } from "../schema/names.ts";
import type { Clock } from "../support/clock.ts";
import { Pace } from "../support/pace.ts";
import { printable } from "../support/printable.ts";

const READ_BYTES = 512 * 1024;
const SHOWN_DIGITS = 12;

/** A digest that is computed incrementally while bytes pass by. */
export class RunningDigest {
  readonly #hasher = new Bun.CryptoHasher("sha256");

  update(bytes: Uint8Array): void {
    this.#hasher.update(bytes);
  }

  finish(): Digest {
    return `sha256:${this.#hasher.digest("hex")}`;
  }
}

/**
 * Streams a file through SHA-256 with one buffer of 512 KiB, whatever the file's size.
 *
 * @throws DeployError `aborted`, or the system's error when the file cannot be read
 */
export async function digestOfFile(
  path: string,
  clock: Clock,
  signal?: AbortSignal,
): Promise<{ digest: Digest; bytes: number }> {
  const pace = new Pace(`compute the digest of ${printable(path)}`, signal, clock);
  const running = new RunningDigest();
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  let bytes = 0;
  await using file = await open(path, "r");
  for (;;) {
    pace.check();
    const { bytesRead } = await file.read(buffer, 0, buffer.length, bytes);
    if (bytesRead === 0) return { digest: running.finish(), bytes };
    running.update(buffer.subarray(0, bytesRead));
    bytes += bytesRead;
  }
}

/**
 * Compares a file's size and SHA-256 with the expected ones. If this throws, the caller must delete the file, or the next
 * fetch would take it for a finished download.
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

function shortened(digest: Digest): string {
  return `${digest.slice("sha256:".length, "sha256:".length + SHOWN_DIGITS)}…`;
}
