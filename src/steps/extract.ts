import { join } from "node:path";
import { DeployError } from "../core/errors.ts";
import type { UnpackLimits, Top } from "../fetch/tree/rules.ts";
import type { Owner } from "../support/command.ts";
import { RECIPE_FILE } from "./layout.ts";
import { recipeOf, parseRecipe, readRecipeText } from "./recipe.ts";
import type { KeptRecipes } from "./kept_recipes.ts";
import type { BuildWork, StepEffects } from "./effects.ts";
import { writeReleaseRecord } from "./release_records.ts";
import { linkShared } from "./shared.ts";
import { topToStrip } from "./strip.ts";

export interface ExtractOptions {
  readonly limits: UnpackLimits;
  /** The owner of a release and of what is shared; the agent's own user unless given. */
  readonly owner: Owner | undefined;
  readonly recipes: KeptRecipes;
  /** Called with the paths of `install.shared` whose content in the build is not used. */
  readonly onGaveWay: (paths: readonly string[]) => void;
}

/**
 * Unpacks the verified archive beside its final place, reads its recipe there, links what is shared, flushes the tree,
 * gives it to its owner, and moves it into place by one rename: a release directory exists whole or not at all.
 *
 * @throws DeployError `recipe-invalid`, `archive-hostile`, `build-exists`, `disk-full`
 */
export async function extractStep(
  work: BuildWork,
  { limits, owner, recipes, onGaveWay }: ExtractOptions,
  { files, archive, signal }: StepEffects,
): Promise<void> {
  const { layout, build, record } = work;
  const tree = layout.tree(build);
  await files.removeTree(tree);
  await files.makeDirectory(tree, 0o700);
  let text: string | null;
  try {
    const { top } = await archive.unpack({
      archive: layout.verified(build, record.digest),
      into: tree,
      // The packer's counts are the tighter limit; the host's own limits always apply.
      limits: {
        maxBytes: Math.min(limits.maxBytes, record.unpackedBytes ?? limits.maxBytes),
        maxEntries: Math.min(limits.maxEntries, record.entries ?? limits.maxEntries),
      },
      signal,
      ...(owner === undefined ? {} : { owner }),
    });
    await stripTop(work, top, files);
    const own = await recipes.ofTree(build, tree);
    text = own.text;
    const gaveWay: string[] = [];
    for (const path of own.recipe.install.shared) {
      const linked = await linkShared({ build, tree, layout, owner }, path, files);
      if (linked.gaveWay) gaveWay.push(path);
    }
    if (gaveWay.length > 0) onGaveWay(gaveWay);
  } catch (error) {
    await files.removeTree(tree);
    throw error;
  }
  if (owner !== undefined) await files.giveTo(tree, owner);
  await files.makePublic(tree);
  await files.syncTree(tree);
  await files.makeDirectory(layout.releases, 0o755);
  await moveAside(work, files);
  // Done before the rename: of a release that exists, the digest and the recipe are always known.
  const recipe = await recipes.keep(build, text);
  await writeReleaseRecord(layout, build, { digest: record.digest, installed: false, recipe }, files);
  await files.renameDurably(tree, layout.release(build));
  await files.removeTree(layout.staging(build));
}

/** Where the top directory, in which the whole archive lies, is to be stripped, its content becomes the tree. */
async function stripTop(
  { layout, build, record }: BuildWork,
  top: Top | null,
  files: StepEffects["files"],
): Promise<void> {
  const tree = layout.tree(build);
  const what = recipeOf(build);
  const text = top === null ? null : await readRecipeText(join(tree, top.name, RECIPE_FILE), what, files);
  const recipe = text === null ? null : parseRecipe(text, what);
  const name = topToStrip({ build, asked: record.strip, top, recipe });
  if (name === null) return;
  const aside = join(layout.staging(build), "top");
  await files.removeTree(aside);
  await files.renameDurably(join(tree, name), aside);
  await files.removeTree(tree);
  await files.renameDurably(aside, tree);
}

/** Moves away what lies in the place of the release and is not this build: it was half removed, or put there by hand. */
async function moveAside({ layout, build }: BuildWork, files: StepEffects["files"]): Promise<void> {
  if ((await files.kindOf(layout.release(build))) === "absent") return;
  if (
    (await files.kindOf(layout.current)) === "link" &&
    (await files.linkTarget(layout.current)).endsWith(`/${build}`)
  ) {
    throw new DeployError(
      `Cannot unpack "${build}": ${layout.release(build)} holds something else and current points at it.`,
      { code: "build-exists", hint: "Add this build under another id; builds never change." },
    );
  }
  await files.renameDurably(layout.release(build), join(layout.staging(build), "replaced"));
}
