import { cp } from "node:fs/promises";
import { join } from "node:path";
import { plantedBugs } from "../sim/planted/bug.ts";
import { TreeCopy } from "../sim/planted/tree_copy.ts";

/** What runs end with that have found something. */
export const VIOLATED = 2;
const ROOT = join(import.meta.dir, "../..");

/**
 * Builds the binary of a copy of this tree with a planted bug in it (test/sim/planted), and plays with that.
 *
 * @returns 0 where the runs break something, as they must; 1 where they do not
 */
export async function withBug(name: string, play: () => Promise<number>): Promise<number> {
  const [bug] = await plantedBugs(name);
  if (bug === undefined) throw new Error(`no bug ${name} is planted`);
  await using copy = await TreeCopy.make();
  await using planted = await copy.plant(bug);
  if (planted === null) throw new Error(`the bug ${name} does not apply to the tree as it is`);
  const { directory } = copy;
  // The binary has the manual in it.
  for (const each of ["docs", ".ci/build"]) await cp(join(ROOT, each), join(directory, each), { recursive: true });
  const build = Bun.spawnSync(["sh", join(directory, ".ci/build")], { stdin: "ignore", stderr: "pipe" });
  if (build.exitCode !== 0) throw new Error(`cannot build ${name}: ${build.stderr.toString()}`);
  process.env["DEPLOYD_TEST_BINARY"] = join(directory, "dist/deployd");
  const isFound = (await play()) === VIOLATED;
  process.stdout.write(`${name}: ${isFound ? "found" : "NOT FOUND"}\n`);
  return isFound ? 0 : 1;
}
