import { cp, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { tempDir } from "../../harness/tempdir.ts";
import type { PlantedBug } from "./bug.ts";

const ROOT = join(import.meta.dir, "../../..");
/** All that a worker reads. */
const COPIED = ["src", "test/sim", "test/harness", "package.json", "tsconfig.json", "bunfig.toml"];

/** This tree with a bug in it, in a directory of its own. */
export interface BuggyCopy extends AsyncDisposable {
  /** The program that plays worlds of it. */
  readonly worker: string;
}

/** Null where the patch does not apply to the tree as it is. */
export async function buggyCopy({ path }: PlantedBug): Promise<BuggyCopy | null> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await tempDir()).path;
  await Promise.all(COPIED.map((each) => cp(join(ROOT, each), join(directory, each), { recursive: true })));
  await symlink(join(ROOT, "node_modules"), join(directory, "node_modules"));
  const git = Bun.spawn(["git", "apply", path], {
    cwd: directory,
    // The copy is no repository, and must not be taken for a part of one around it.
    env: { ...process.env, GIT_CEILING_DIRECTORIES: dirname(directory) },
    stderr: "ignore",
  });
  if ((await git.exited) !== 0) return null;
  const kept = stack.move();
  return {
    worker: join(directory, "test/sim/rehearse/worker.ts"),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
