import { DeployError } from "../core/errors.ts";
import type { Top } from "../fetch/tree/rules.ts";
import { hostileArchive } from "../fetch/tar/fields.ts";
import type { Recipe } from "../schema/recipe.ts";

/** What there is to decide by, of an archive as it was read. */
export interface StripQuestion {
  readonly build: string;
  /** What the build's record says. */
  readonly asked: 0 | 1 | undefined;
  /** The directory that all of the archive lies in, if there is one. */
  readonly top: Top | null;
  /** The recipe in that directory; null where it has none. */
  readonly recipe: Recipe | null;
}

/**
 * The directory of the archive that is to become the release, or null for all of it. The archive's own word counts, and the
 * record's where the archive is silent: nothing but the one directory that holds everything can ever be meant, so that who
 * writes records chooses among no trees (docs/adr/0025).
 *
 * @throws DeployError `archive-invalid` where there is no such directory, `archive-hostile` for what could not lie at the top
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
