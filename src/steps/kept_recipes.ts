import { join } from "node:path";
import { DeployError } from "../core/errors.ts";
import type { ServiceConfig } from "../schema/agent_config.ts";
import { recipeSchema, type Recipe } from "../schema/recipe.ts";
import type { ReleaseRecord } from "../schema/release_record.ts";
import type { Files } from "./files.ts";
import { RECIPE_FILE, type Layout } from "./layout.ts";
import { recipeOf, parseRecipe, readRecipeText } from "./recipe.ts";
import { readReleaseRecord, writeReleaseRecord } from "./release_records.ts";

/**
 * How many parsed recipes are kept in memory: only those of the served build, the wished one and those on a way back are
 * needed.
 */
const REMEMBERED = 4;

/**
 * The recipes of one service's builds: the build's own deployd.toml as its verified archive had it or, when it has none,
 * the service's section of agent.toml. A release belongs to the service's user once it is unpacked; so the recipe that is
 * obeyed is kept beside it, where only the agent may write. A text is parsed only once, however often it is read.
 */
export class KeptRecipes {
  readonly #service: string;
  readonly #layout: Layout;
  readonly #config: ServiceConfig;
  readonly #files: Files;
  /** By build; the most recently used one is last. */
  readonly #parsed = new Map<string, { readonly text: string; readonly recipe: Recipe }>();
  /** Recipes of older releases that could not be kept because the disk is full or read-only. */
  readonly #adopted = new Map<string, string>();
  #section: Recipe | null = null;

  constructor(service: string, layout: Layout, config: ServiceConfig, files: Files) {
    this.#service = service;
    this.#layout = layout;
    this.#config = config;
    this.#files = files;
  }

  /** @throws DeployError `recipe-invalid` naming the file and its problems, or saying that there is no recipe at all */
  async read(build: string): Promise<Recipe> {
    const text = (await this.#files.readIfThere(this.#layout.recipe(build))) ?? this.#adopted.get(build);
    return text === undefined ? this.#ofSection(build) : this.#ofText(build, text);
  }

  /**
   * Reads the recipe of a build that was just unpacked into `tree`, where nobody but the agent can reach it yet.
   *
   * @throws DeployError `recipe-invalid`
   */
  async ofTree(build: string, tree: string): Promise<{ text: string | null; recipe: Recipe }> {
    const text = await readRecipeText(join(tree, RECIPE_FILE), recipeOf(build), this.#files);
    return { text, recipe: text === null ? this.#ofSection(build) : this.#ofText(build, text) };
  }

  /** Keeps the recipe that `ofTree` read as the one that is obeyed. */
  async keep(build: string, text: string | null): Promise<Required<ReleaseRecord>["recipe"]> {
    this.#adopted.delete(build);
    const path = this.#layout.recipe(build);
    await this.#files.makeDirectory(this.#layout.builds, 0o755);
    if (text === null) await this.#files.removeTree(path);
    else await this.#files.writeAtomic(path, text);
    return text === null ? "none" : "brought";
  }

  /**
   * Keeps the recipes of releases that are older than this feature: of those that an older deployd unpacked and, where
   * deployd has never unpacked anything, of those that somebody put there by hand. They are trusted once, now.
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
    // A recipe that was not a regular file was never obeyed.
    const text = await readRecipeText(path, recipeOf(build), this.#files).catch(() => null);
    try {
      const recipe = await this.keep(build, text);
      if (record !== null) await writeReleaseRecord(this.#layout, build, { ...record, recipe }, this.#files);
    } catch {
      // The disk is full or read-only: what was read is used until this agent ends, and the next one tries again.
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
