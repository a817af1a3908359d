import { DeployError } from "../core/errors.ts";
import type { Top } from "../fetch/tree/rules.ts";
import { hostileArchive } from "../fetch/tar/fields.ts";
import type { Recipe } from "../schema/recipe.ts";

/** What the decision to strip depends on, from an archive that was read. */
export interface StripQuestion {
  readonly build: string;
  /** What the build's record says. */
  readonly asked: 0 | 1 | undefined;
  /** The directory that the whole archive lies in, if there is one. */
  readonly top: Top | null;
  /** The recipe in that directory; null where it has none. */
  readonly recipe: Recipe | null;
}

/**
 * The directory of the archive whose content is to become the release, or null for the whole archive. What the archive's
 * own recipe says counts; what the build's record says counts only where the recipe is silent. Only the one directory
 * that holds everything can be stripped, so whoever writes the record cannot choose between trees (docs/adr/0025).
 *
 * @throws DeployError `archive-invalid` where there is no such directory, `archive-hostile` for an entry that could not
 *   be at the top
 */
export function topToStrip({ build, asked, top, recipe }: StripQuestion): string | null {
  if (asked !== 1 && recipe?.strip === undefined) return null;
  if (top === null) {
    throw new DeployError(`Cannot strip the top directory of "${build}": its archive does not lie in one directory.`, {
      code: "archive-invalid",
      hint: "Add it without --strip, or make the archive with everything below one directory.",
    });
  }
  if (top.against !== null) {
    const { path, why, hint } = top.against;
    throw hostileArchive(path, `once "${top.name}/" is stripped, ${why}`, hint);
  }
  return top.name;
}
