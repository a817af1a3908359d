import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { WorldPlan } from "../fleet/world_plan.ts";

/** A small wrong change to production code, as a patch from the root of the repository. */
export interface PlantedBug {
  readonly name: string;
  readonly path: string;
  /** What is wrong, in a sentence: the first line of the patch. */
  readonly says: string;
  /** Where it was found before: it may be found there again, and sooner. The search does not rest on it. */
  readonly hint: Hint | null;
}

/** A story under one seed is another one after each change of what it tells; worlds of a kind stay what they are. */
export type Hint =
  | { readonly kind: "deaths" }
  | { readonly kind: "seed"; readonly seed: string }
  | { readonly kind: "worlds"; readonly first: string | null; readonly changes: Partial<WorldPlan> };

const ENDING = ".patch";

/** @param only the name of the one that is wanted */
export async function plantedBugs(only?: string): Promise<PlantedBug[]> {
  const names = (await readdir(import.meta.dir))
    .filter((file) => file.endsWith(ENDING))
    .map((file) => file.slice(0, -ENDING.length))
    .filter((name) => only === undefined || name === only)
    .toSorted();
  if (names.length === 0) throw new Error(`no bug ${only ?? ""} is planted in ${import.meta.dir}`);
  return Promise.all(
    names.map(async (name) => {
      const path = join(import.meta.dir, `${name}${ENDING}`);
      const [head = ""] = (await readFile(path, "utf8")).split(/^--- /m, 1);
      return { name, path, says: head.split("\n", 1)[0] ?? "", hint: hintIn(head) };
    }),
  );
}

function hintIn(head: string): Hint | null {
  const words = /^hunt: (.*)$/m.exec(head)?.[1];
  if (words === undefined) return null;
  if (words === "deaths") return { kind: "deaths" };
  const seed = /^seed (\S+)$/.exec(words)?.[1];
  if (seed !== undefined) return { kind: "seed", seed };
  const [, first = null, changes] = /^(?:seed (\S+) of )?worlds (\{.*\})$/.exec(words) ?? [];
  if (changes !== undefined) return { kind: "worlds", first, changes: JSON.parse(changes) as Partial<WorldPlan> };
  throw new Error(
    `"hunt: ${words}" is no hint: say "hunt: deaths", "hunt: seed 17", "hunt: worlds {"max":1}" or "hunt: seed 17 of worlds {"max":1}"`,
  );
}
