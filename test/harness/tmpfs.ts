import { mkdir } from "node:fs/promises";

/** A file system of its own at `path`, which only root may have. @param options of tmpfs(5): `size=110m` */
export async function mountTmpfs(path: string, options: string): Promise<AsyncDisposable> {
  await mkdir(path, { recursive: true });
  const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `${options},mode=755`, "tmpfs", path]);
  if (mounted.exitCode !== 0) throw new Error(`cannot mount a tmpfs: ${mounted.stderr.toString()}`);
  return {
    // Lazily: the service still runs from there.
    [Symbol.asyncDispose]: async () => void Bun.spawnSync(["umount", "-l", path]),
  };
}
