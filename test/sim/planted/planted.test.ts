import { expect, test } from "bun:test";
import { join } from "node:path";
import { tempDir } from "../../harness/tempdir.ts";
import { plantedBugs, type PlantedBug } from "./bug.ts";
import { hunt, type Hunted } from "./hunt.ts";
import { Search } from "./search.ts";
import { TreeCopy } from "./tree_copy.ts";

const ROOT = join(import.meta.dir, "../../..");
const FEWEST = 20;

const bugs = await plantedBugs();

async function all(hunted: AsyncIterable<Hunted>): Promise<Hunted[]> {
  const found: Hunted[] = [];
  for await (const each of hunted) found.push(each);
  return found;
}

/** A bug that was planted into code that is another one by now. */
async function staleBug(directory: string): Promise<PlantedBug> {
  const path = join(directory, "stale.patch");
  const lines = ["--- a/src/version.ts", "+++ b/src/version.ts", "@@ -1 +1 @@", "-what nobody ever wrote", "+x", ""];
  await Bun.write(path, lines.join("\n"));
  return { name: "stale", path, says: "It was.", hint: null };
}

test("there are enough planted bugs, and each says in a sentence what is wrong", () => {
  expect(bugs.length).toBeGreaterThanOrEqual(FEWEST);
  expect(bugs.filter(({ says }) => !/^[A-Z].*\.$/.test(says)).map(({ name }) => name)).toEqual([]);
});

test.each(bugs.map(({ name, path }) => [name, path]))("%s is a change to the production code as it is", (_, path) => {
  const { exitCode, stderr } = Bun.spawnSync(["git", "apply", "--check", path], { cwd: ROOT });
  expect([exitCode, stderr.toString()]).toEqual([0, ""]);
});

test("a bug that no longer applies is not hunted, and told", async () => {
  await using directory = await tempDir();
  const stale = await staleBug(directory.path);
  await using copy = await TreeCopy.make();
  expect(await copy.plant(stale)).toBeNull();
  const [told] = await all(hunt([stale], 1, new Search({ seeds: 0, deaths: 0 })));
  expect(told?.outcome).toEqual({ kind: "does not apply" });
});

test("a copy has a bug until it is taken out, and is then as it was", async () => {
  const [bug] = bugs;
  if (bug === undefined) throw new Error("no bug is planted");
  await using copy = await TreeCopy.make();
  const [, file = ""] = /^\+\+\+ b\/(\S+)$/m.exec(await Bun.file(bug.path).text()) ?? [];
  const text = (): Promise<string> => Bun.file(join(copy.directory, file)).text();
  const before = await text();
  {
    await using planted = await copy.plant(bug);
    expect(planted).not.toBeNull();
    expect(await text()).not.toBe(before);
  }
  expect(await text()).toBe(before);
});

test("a bug that shows in no world that is played is told as not found", async () => {
  const [bug] = bugs;
  if (bug === undefined) throw new Error("no bug is planted");
  const [told] = await all(hunt([{ ...bug, hint: null }], 1, new Search({ seeds: 0, deaths: 0 })));
  expect(told?.outcome).toEqual({ kind: "not found", played: 0 });
});

test("a hint comes first, and everything else after it", () => {
  const search = new Search({ seeds: 2, deaths: 3 });
  const kinds = (hint: PlantedBug["hint"]): string[] =>
    [...search.jobs(hint)].map((job) => (job.kind === "seed" ? `seed ${job.seed}` : "death"));
  expect(kinds(null)).toEqual(["seed 1", "death", "death", "death", "seed 2"]);
  expect(kinds({ kind: "deaths" })).toEqual(["death", "death", "death", "seed 1", "seed 2"]);
  expect(kinds({ kind: "seed", seed: "17" })).toEqual(["seed 17", "seed 1", "death", "death", "death", "seed 2"]);
});
