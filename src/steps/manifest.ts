import { DeployError } from "../core/errors.ts";
import { parseOrThrow } from "../core/parse.ts";
import { manifestSchema, type Manifest } from "../schema/manifest.ts";

/** @param what names the file in messages */
export function parseManifest(text: string, what: string): Manifest {
  let input: unknown;
  try {
    input = Bun.TOML.parse(text);
  } catch (error) {
    throw new DeployError(`Cannot read ${what}: ${error instanceof Error ? error.message : String(error)}.`, {
      code: "manifest-invalid",
      hint: "It must be TOML; docs/manifest.md shows every key.",
      cause: error,
    });
  }
  return parseOrThrow(manifestSchema, input, what, {
    code: "manifest-invalid",
    hint: "docs/manifest.md lists every key.",
  });
}
