import { DeployError } from "../core/errors.ts";
import { parseOrThrow } from "../core/parse.ts";
import { recipeSchema, type Recipe } from "../schema/recipe.ts";
import type { Files } from "./files.ts";
import { RECIPE_FILE } from "./layout.ts";

/** Parsing takes quadratic time in the number of keys and blocks everything else meanwhile: this size takes 0.1 s. */
export const MOST_RECIPE_BYTES = 64 * 1024;

/**
 * The text of a build's own recipe, from the directory of the build; null where it has none.
 *
 * @param what names the file in messages
 * @throws DeployError `recipe-invalid` for anything but a regular file of at most 64 KiB
 */
export async function readRecipeText(
  path: string,
  what: string,
  files: Pick<Files, "look" | "readUnlinked">,
): Promise<string | null> {
  const found = await files.look(path);
  if (found === null) return null;
  requireRecipeFile(found, what);
  return files.readUnlinked(path);
}

/** @throws DeployError `recipe-invalid` for anything but a regular file of at most 64 KiB */
export function requireRecipeFile(
  { kind, size }: { readonly kind: "file" | "directory" | "link" | "other"; readonly size: number },
  what: string,
): void {
  if (kind !== "file") {
    throw new DeployError(`Cannot read ${what}: it is a ${kind === "other" ? "special file" : kind}.`, {
      code: "recipe-invalid",
      hint: "Put a regular file there; a build's recipe is the same on every host.",
    });
  }
  if (size > MOST_RECIPE_BYTES) throw tooLong(what, size);
}

/** What messages call a build's own recipe. */
export function recipeOf(build: string): string {
  return `${RECIPE_FILE} of build "${build}"`;
}

/** @param what names the file in messages */
export function parseRecipe(text: string, what: string): Recipe {
  const bytes = Buffer.byteLength(text);
  if (bytes > MOST_RECIPE_BYTES) throw tooLong(what, bytes);
  let input: unknown;
  try {
    input = Bun.TOML.parse(text);
  } catch (error) {
    throw new DeployError(`Cannot read ${what}: ${error instanceof Error ? error.message : String(error)}.`, {
      code: "recipe-invalid",
      hint: 'It must be TOML: lines of key = "value" below [sections]. Every key: deployd help recipe',
      cause: error,
    });
  }
  return parseOrThrow(recipeSchema, input, what, {
    code: "recipe-invalid",
    hint: "Every key: deployd help recipe",
  });
}

function tooLong(what: string, bytes: number): DeployError {
  return new DeployError(`Cannot read ${what}: it has ${bytes} bytes, and a recipe at most ${MOST_RECIPE_BYTES}.`, {
    code: "recipe-invalid",
    hint: "It says how to install, restart and check; put anything else into a file of its own.",
  });
}
