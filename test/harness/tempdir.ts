import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory of its own for one test, gone at the end of the block: `await using dir = await tempDir()`. */
export async function tempDir(parent = tmpdir()): Promise<{ path: string } & AsyncDisposable> {
  const path = await realpath(await mkdtemp(join(parent, "deployd-test-")));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
