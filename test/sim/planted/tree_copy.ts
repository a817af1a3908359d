import { cp, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { tempDir } from "../../harness/tempdir.ts";
import type { PlantedBug } from "./bug.ts";

const ROOT = join(import.meta.dir, "../../..");
/** All that a worker reads. */
const COPIED = ["src", "test/sim", "test/harness", "package.json", "tsconfig.json", "bunfig.toml"];

/** A copy of this tree, in a directory of its own, with one bug at a time in it. */
export class TreeCopy implements AsyncDisposable {
  readonly directory: string;
  /** The program that plays worlds of it. */
  readonly worker: string;
  readonly #dispose: () => Promise<void>;

  private constructor(directory: string, dispose: () => Promise<void>) {
    this.directory = directory;
    this.worker = join(directory, "test/sim/rehearse/worker.ts");
    this.#dispose = dispose;
  }

  static async make(): Promise<TreeCopy> {
    await using stack = new AsyncDisposableStack();
    const directory = stack.use(await tempDir()).path;
    await Promise.all(COPIED.map((each) => cp(join(ROOT, each), join(directory, each), { recursive: true })));
    await symlink(join(ROOT, "node_modules"), join(directory, "node_modules"));
    const kept = stack.move();
    return new TreeCopy(directory, () => kept.disposeAsync());
  }

  /** The bug, until what this gives is disposed of; null where the patch does not apply to the tree as it is. */
  async plant({ path }: PlantedBug): Promise<AsyncDisposable | null> {
    if ((await this.#apply(path)) !== 0) return null;
    return {
      [Symbol.asyncDispose]: async () => {
        if ((await this.#apply("--reverse", path)) !== 0) throw new Error(`${path} cannot be taken out again`);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dispose();
  }

  async #apply(...words: readonly string[]): Promise<number> {
    const git = Bun.spawn(["git", "apply", ...words], {
      cwd: this.directory,
      // The copy is no repository, and must not be taken for a part of one around it.
      env: { ...process.env, GIT_CEILING_DIRECTORIES: dirname(this.directory) },
      stderr: "ignore",
    });
    return git.exited;
  }
}
