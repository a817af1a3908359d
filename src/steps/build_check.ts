import { surveyArchive, type Survey } from "../fetch/tree/survey.ts";
import type { Recipe } from "../schema/recipe.ts";
import { DEFAULT_LIMITS } from "../schema/agent_config.ts";
import type { Clock } from "../support/clock.ts";
import { printable } from "../support/printable.ts";
import { RECIPE_FILE } from "./layout.ts";
import { recipeOf, MOST_RECIPE_BYTES, parseRecipe, requireRecipeFile } from "./recipe.ts";
import { sharedContent } from "./shared_content.ts";
import { topToStrip } from "./strip.ts";

const IS_LIKE_RECIPE = /(?:^|\/)deployd\.toml$/i;

/** What hosts will find in an archive. */
export interface CheckedBuild {
  readonly entries: number;
  readonly unpackedBytes: number;
  /**
   * The directory that the whole archive lies in, if there is one. Where it is not stripped, hosts look for no recipe in
   * it.
   */
  readonly top: { readonly name: string; readonly hasRecipe: boolean; readonly isStripped: boolean } | null;
  /**
   * The path of a recipe that hosts do not find, because it is deeper than one directory or spelt differently; null where
   * there is none.
   */
  readonly buried: string | null;
  /** What people should know before a host finds it out. */
  readonly notes: readonly string[];
}

/**
 * Reads an archive as a host does, with the same code but without unpacking it, so that whatever no host would accept is
 * found where it was made. What differs from host to host (limits, sections of agent.toml, what is allowed) is not
 * checked, but noted where it will matter.
 *
 * @throws DeployError `archive-hostile`, `archive-invalid`, `recipe-invalid`, `aborted`, as a host would
 */
export async function checkBuild(
  { archive, build, strip }: { readonly archive: string; readonly build: string; readonly strip: 0 | 1 | undefined },
  by: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<CheckedBuild> {
  const survey = await surveyArchive(archive, { likely: RECIPE_FILE, mostBytes: MOST_RECIPE_BYTES }, by);
  const { entries, bytes, top } = survey;
  const nested = top === null ? null : await recipeIn(survey, `${top.name}/`, build);
  const stripped = topToStrip({ build, asked: strip, top, recipe: nested });
  const recipe = stripped === null ? await recipeIn(survey, "", build) : nested;
  return {
    entries,
    unpackedBytes: bytes,
    top: top === null ? null : { name: top.name, hasRecipe: nested !== null, isStripped: stripped !== null },
    buried: recipe === null ? buried(survey.known) : null,
    notes: [
      ...(recipe === null ? [withoutRecipe(buried(below(survey, stripped)))] : []),
      ...(recipe === null ? [] : sharedContent(build, below(survey, stripped), recipe.install.shared)),
      ...fromMac(survey.known),
      ...overDefault("entries", entries, DEFAULT_LIMITS.entries),
      ...overDefault("unpacked_bytes", bytes, DEFAULT_LIMITS.unpacked_bytes),
    ],
  };
}

async function recipeIn(survey: Survey, prefix: string, build: string): Promise<Recipe | null> {
  const path = `${prefix}${RECIPE_FILE}`;
  const kind = survey.known.get(path);
  if (kind === undefined) return null;
  const found = await survey.read(path);
  const as = kind === "symlink" ? "link" : kind === "file" ? "file" : "directory";
  requireRecipeFile({ kind: as, size: found?.size ?? 0 }, recipeOf(build));
  return parseRecipe(Buffer.from(found?.bytes ?? []).toString("utf8"), recipeOf(build));
}

/** The entries of the archive by the paths that they would have in a release. */
function below({ known }: Survey, stripped: string | null): Survey["known"] {
  if (stripped === null) return known;
  const prefix = `${stripped}/`;
  const inside = [...known].filter(([path]) => path.startsWith(prefix));
  return new Map(inside.map(([path, kind]) => [path.slice(prefix.length), kind]));
}

/** Of the files that look like a recipe but are not found as one, the one nearest to the top. */
function buried(known: Survey["known"]): string | null {
  const found = [...known.keys()].filter((path) => IS_LIKE_RECIPE.test(path));
  const depth = (path: string): number => path.split("/").length;
  return found.toSorted((one, other) => depth(one) - depth(other))[0] ?? null;
}

function withoutRecipe(elsewhere: string | null): string {
  const also = elsewhere === null ? "" : `, and hosts do not look at "${printable(elsewhere)}"`;
  return `there is no ${RECIPE_FILE} ${elsewhere === null ? "in it" : "at its top"}${also}: the agents' own files must say how it runs`;
}

function fromMac(known: Survey["known"]): string[] {
  const found = [...known.keys()].find((path) => /(?:^|\/)\._[^/]+$/.test(path));
  if (found === undefined) return [];
  return [
    `it has "${found}" in it, and perhaps more files that only a Mac reads; on a Mac, COPYFILE_DISABLE=1 tar leaves them out`,
  ];
}

function overDefault(limit: keyof typeof DEFAULT_LIMITS, found: number, most: number): string[] {
  if (found <= most) return [];
  return [`hosts refuse it unless limits.${limit} of their agent.toml, ${most} by default, is ${found} or more`];
}
