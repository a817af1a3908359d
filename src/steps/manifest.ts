import { DeployError } from "../core/errors.ts";
import { parseOrThrow } from "../core/parse.ts";
import { manifestSchema, type Manifest } from "../schema/manifest.ts";
import type { Files } from "./files.ts";
import { MANIFEST_FILE } from "./layout.ts";

/** Parsing takes quadratic time in the number of keys, and stops everything else meanwhile: this much takes 0.1 s. */
export const MOST_MANIFEST_BYTES = 64 * 1024;

/**
 * The text of a build's own manifest from the directory of the build; null where it brings none.
 *
 * @param what names the file in messages
 * @throws DeployError `manifest-invalid` for what is no plain file of at most 64 KiB
 */
export async function readManifestText(
  path: string,
  what: string,
  files: Pick<Files, "look" | "readUnlinked">,
): Promise<string | null> {
  const found = await files.look(path);
  if (found === null) return null;
  requireManifestFile(found, what);
  return files.readUnlinked(path);
}

/** @throws DeployError `manifest-invalid` for what is no plain file of at most 64 KiB */
export function requireManifestFile(
  { kind, size }: { readonly kind: "file" | "directory" | "link" | "other"; readonly size: number },
  what: string,
): void {
  if (kind !== "file") {
    throw new DeployError(`Cannot read ${what}: it is a ${kind === "other" ? "special file" : kind}.`, {
      code: "manifest-invalid",
      hint: "Put a plain file there; a build's manifest is the same on every host.",
    });
  }
  if (size > MOST_MANIFEST_BYTES) throw tooLong(what, size);
}

/** What messages call a build's own manifest. */
export function manifestOf(build: string): string {
  return `${MANIFEST_FILE} of build "${build}"`;
}

/** @param what names the file in messages */
export function parseManifest(text: string, what: string): Manifest {
  const bytes = Buffer.byteLength(text);
  if (bytes > MOST_MANIFEST_BYTES) throw tooLong(what, bytes);
  let input: unknown;
  try {
    input = Bun.TOML.parse(text);
  } catch (error) {
    throw new DeployError(`Cannot read ${what}: ${error instanceof Error ? error.message : String(error)}.`, {
      code: "manifest-invalid",
      hint: 'It must be TOML: lines of key = "value" below [sections]. Every key: deployd help manifest',
      cause: error,
    });
  }
  return parseOrThrow(manifestSchema, input, what, {
    code: "manifest-invalid",
    hint: "Every key: deployd help manifest",
  });
}

function tooLong(what: string, bytes: number): DeployError {
  return new DeployError(`Cannot read ${what}: it has ${bytes} bytes, and a manifest at most ${MOST_MANIFEST_BYTES}.`, {
    code: "manifest-invalid",
    hint: "It says how to install, restart and check; put anything else into a file of its own.",
  });
}
