import { open } from "node:fs/promises";
import { DeployError } from "../core/errors.ts";
import type { Clock } from "../support/clock.ts";
import { Pace } from "../support/pace.ts";
import { printable } from "./printable.ts";

/** The SHA-256 of a file: `sha256:` and 64 lower-case hexadecimal digits. */
export type Digest = `sha256:${string}`;

const FORM = /^sha256:[0-9a-f]{64}$/;
const READ_BYTES = 512 * 1024;

function isDigest(text: string): text is Digest {
  return FORM.test(text);
}

/** @throws DeployError `usage` when the text is anything but `sha256:` and 64 lower-case hexadecimal digits */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new DeployError(`Cannot read "${printable(text)}" as a digest.`, {
    code: "usage",
    hint: "Write it as sha256: and 64 lower-case hexadecimal digits, the way `sha256sum` prints them.",
  });
}

/** A digest that is built up while bytes pass by. */
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
  const pace = new Pace(`Cannot compute the digest of ${printable(path)}`, signal, clock);
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
