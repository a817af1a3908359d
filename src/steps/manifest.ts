import { join } from "node:path";
import { DeployError } from "../core/errors.ts";
import { parseOrThrow } from "../core/parse.ts";
import { recipeFrom, type Recipe } from "../core/recipe.ts";
import type { ServiceConfig } from "../schema/agent_config.ts";
import { manifestSchema } from "../schema/manifest.ts";
import type { Files } from "./files.ts";
import { MANIFEST_FILE, type Layout } from "./layout.ts";

/**
 * What to install, restart and check for a build that lies in `releases/`: its own deployd.toml, or, when it brings
 * none, the service's section of the agent's file.
 *
 * @throws DeployError `manifest-invalid` naming the file and its problems, or that there is no manifest at all
 */
export async function readRecipe(
  service: string,
  build: string,
  layout: Layout,
  config: ServiceConfig,
  variables: Readonly<Record<string, string>>,
  files: Pick<Files, "readUnlinked">,
): Promise<Recipe> {
  const path = join(layout.release(build), MANIFEST_FILE);
  // Releases belong to the service's user, who could put a link to somebody else's file there.
  const text = await files.readUnlinked(path);
  if (text !== null) return recipeFrom(parseManifest(text, `${MANIFEST_FILE} of build "${build}"`), variables);
  if (config.install === undefined && config.restart === undefined && config.check === undefined) {
    throw new DeployError(`Cannot tell how to run "${build}": it brings no ${MANIFEST_FILE}.`, {
      code: "manifest-invalid",
      hint: `Put a ${MANIFEST_FILE} at the top of the build, or [services.${service}.restart] in the agent's file.`,
    });
  }
  const { install, restart, drain, check } = config;
  return recipeFrom(manifestSchema.parse({ install, restart, drain, check }), variables);
}

/** @param what names the file in messages */
export function parseManifest(text: string, what: string) {
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
