import { basename, join, resolve } from "node:path";
import { DeployError } from "../core/errors.ts";
import type { Clock } from "../support/clock.ts";
import { packDirectory } from "./pack_directory.ts";
import { hostDisk } from "../host/disk.ts";
import { checkBuild, type CheckedBuild } from "../steps/build_check.ts";
import { Files } from "../steps/files.ts";
import { RECIPE_FILE } from "../steps/layout.ts";
import { parseRecipe, readRecipeText } from "../steps/recipe.ts";
import type { PackManifest } from "../schema/pack_manifest.ts";
import { Exclusion } from "./exclusion.ts";

export interface PackFlags {
  readonly build: string | undefined;
  readonly out: string | undefined;
  readonly exclude: readonly string[] | undefined;
  readonly includeGit: boolean | undefined;
}

interface Effects {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** The build of a directory, and what people should know about it. */
export interface Packed {
  readonly path: string;
  /** The complete manifest, as it was written. */
  readonly manifest: Required<PackManifest>;
  readonly notes: readonly string[];
}

/** Packs a directory, with its manifest beside the archive. @throws DeployError */
export async function packBuild(dir: string, flags: PackFlags, effects: Effects): Promise<Packed> {
  const exclusion = new Exclusion(flags.exclude ?? [], flags.includeGit === true);
  const packed = await pack(resolve(dir), flags, exclusion, effects);
  return { ...packed, notes: [...packed.notes, ...exclusion.notes()] };
}

async function pack(dir: string, flags: PackFlags, exclusion: Exclusion, { clock, signal }: Effects): Promise<Packed> {
  const files = new Files(hostDisk, clock);
  // The recipe is checked first, so that a mistake in it is reported before an hour of packing.
  const recipePath = join(dir, RECIPE_FILE);
  const text = await readRecipeText(recipePath, recipePath, files);
  if (text !== null) parseRecipe(text, recipePath);
  const name = basename(dir);
  const first = resolve(flags.out ?? `${name}-${flags.build ?? "new"}.tar.zst`);
  const idFrom = (digest: string) => flags.build ?? digest.slice("sha256:".length, "sha256:".length + 12);
  let notes: readonly string[] = [];
  const packed = await packDirectory({
    dir,
    out: first,
    leavesOut: (path) => exclusion.leavesOut(path),
    check: async (archive, digest) => {
      const checked = await checkBuild({ archive, build: idFrom(digest), strip: undefined }, { clock, signal });
      requireRightTop(dir, checked);
      notes = checked.notes;
    },
    clock,
    signal,
  });
  const build = idFrom(packed.digest);
  const path = flags.out === undefined && flags.build === undefined ? resolve(`${name}-${build}.tar.zst`) : first;
  if (path !== first) await files.renameDurably(first, path);
  const { digest, size, entries, unpackedBytes } = packed;
  const manifest: Required<PackManifest> = { build, digest, size, entries, unpackedBytes };
  await files.writeAtomic(`${path}.manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`);
  return { path, manifest, notes };
}

function requireRightTop(dir: string, { top }: CheckedBuild): void {
  if (top === null || !top.hasRecipe || top.isStripped) return;
  throw new DeployError(
    `Cannot pack ${dir}: everything in it is below "${top.name}/", with the ${RECIPE_FILE} in there.`,
    {
      code: "usage",
      hint: `Pack ${join(dir, top.name)}, or write strip = 1 into that file.`,
    },
  );
}
