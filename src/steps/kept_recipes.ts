import { join } from "node:path";
import { DeployError } from "../core/errors.ts";
import type { ServiceConfig } from "../schema/agent_config.ts";
import { recipeSchema, type Recipe } from "../schema/recipe.ts";
import type { ReleaseRecord } from "../schema/release_record.ts";
import type { Files } from "./files.ts";
import { RECIPE_FILE, type Layout } from "./layout.ts";
import { recipeOf, parseRecipe, readRecipeText } from "./recipe.ts";
import { readReleaseRecord, writeReleaseRecord } from "./release_records.ts";

/** The build that is served, the wished one, and those on a way back are all that is asked for. */
const REMEMBERED = 4;

/**
 * What to install, restart and check for the builds of one service: the build's own deployd.toml as its verified archive
 * had it, or, when it brings none, the service's section of the agent's file. A release belongs to the service's user once
 * it is unpacked; what is obeyed is kept beside it, where only the agent writes. A text is parsed once, however often the
 * same is read again.
 */
export class KeptRecipes {
  readonly #service: string;
  readonly #layout: Layout;
  readonly #config: ServiceConfig;
  readonly #files: Files;
  /** By build, the one that was asked for last at the end. */
  readonly #parsed = new Map<string, { readonly text: string; readonly recipe: Recipe }>();
  /** Of former releases whose recipes could not be kept, as the disk is full or read-only. */
  readonly #adopted = new Map<string, string>();
  #section: Recipe | null = null;

  constructor(service: string, layout: Layout, config: ServiceConfig, files: Files) {
    this.#service = service;
    this.#layout = layout;
    this.#config = config;
    this.#files = files;
  }

  /** @throws DeployError `recipe-invalid` naming the file and its problems, or that there is no recipe at all */
  async read(build: string): Promise<Recipe> {
    const text = (await this.#files.readIfThere(this.#layout.recipe(build))) ?? this.#adopted.get(build);
    return text === undefined ? this.#ofSection(build) : this.#ofText(build, text);
  }

  /**
   * The recipe of a build that was just unpacked into `tree`, where nobody but the agent can reach it yet.
   *
   * @throws DeployError `recipe-invalid`
   */
  async ofTree(build: string, tree: string): Promise<{ text: string | null; recipe: Recipe }> {
    const text = await readRecipeText(join(tree, RECIPE_FILE), recipeOf(build), this.#files);
    return { text, recipe: text === null ? this.#ofSection(build) : this.#ofText(build, text) };
  }

  /** Keeps what `ofTree` found as the one that is obeyed. */
  async keep(build: string, text: string | null): Promise<Required<ReleaseRecord>["recipe"]> {
    this.#adopted.delete(build);
    const path = this.#layout.recipe(build);
    await this.#files.makeDirectory(this.#layout.builds, 0o755);
    if (text === null) await this.#files.removeTree(path);
    else await this.#files.writeAtomic(path, text);
    return text === null ? "none" : "brought";
  }

  /**
   * Keeps the recipes of releases that were there before recipes were kept: of those that a former deployd unpacked,
   * and, where deployd has never unpacked anything, of those that somebody put there by hand. They are believed once, now.
   */
  async adopt(): Promise<void> {
    const isNew = (await this.#files.kindOf(this.#layout.builds)) === "absent";
    for (const build of await this.#files.list(this.#layout.releases)) {
      const record = await readReleaseRecord(this.#layout, build, this.#files);
      const isKept = record === null ? !isNew : record.recipe !== undefined;
      if (!isKept) await this.#adopt(build, record);
    }
    if (isNew) await this.#files.makeDirectory(this.#layout.builds, 0o755).catch(() => {});
  }

  async #adopt(build: string, record: ReleaseRecord | null): Promise<void> {
    const path = join(this.#layout.release(build), RECIPE_FILE);
    // What is no plain file was never obeyed.
    const text = await readRecipeText(path, recipeOf(build), this.#files).catch(() => null);
    try {
      const recipe = await this.keep(build, text);
      if (record !== null) await writeReleaseRecord(this.#layout, build, { ...record, recipe }, this.#files);
    } catch {
      // The disk is full or read-only: what was read is good for this life, and the next one tries again.
      if (text !== null) this.#adopted.set(build, text);
    }
  }

  #ofText(build: string, text: string): Recipe {
    const before = this.#parsed.get(build);
    const recipe = before?.text === text ? before.recipe : parseRecipe(text, recipeOf(build));
    this.#parsed.delete(build);
    this.#parsed.set(build, { text, recipe });
    for (const other of this.#parsed.keys()) {
      if (this.#parsed.size <= REMEMBERED) break;
      this.#parsed.delete(other);
    }
    return recipe;
  }

  #ofSection(build: string): Recipe {
    const { install, restart, drain, check } = this.#config;
    if (install === undefined && restart === undefined && check === undefined) {
      throw new DeployError(`Cannot tell how to run "${build}": it brings no ${RECIPE_FILE}.`, {
        code: "recipe-invalid",
        hint: `Put a ${RECIPE_FILE} at the top of the build, or [services.${this.#service}.restart] in the agent's file.`,
      });
    }
    this.#section ??= recipeSchema.parse({ install, restart, drain, check });
    return this.#section;
  }
}
