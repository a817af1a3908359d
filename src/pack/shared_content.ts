import { dirname, join } from "node:path";
import { DeployError } from "../core/errors.ts";
import type { Files } from "../steps/files.ts";

/**
 * What people should know of the paths that a build shares, before a host finds it: only the first build of a service fills
 * `shared/`, and what a later one brings at the same path is dropped there.
 *
 * @returns a sentence for each path that brings something
 * @throws DeployError `manifest-invalid` where a host would refuse the build
 */
export async function sharedContent(dir: string, shared: readonly string[], files: Files): Promise<string[]> {
  const notes: string[] = [];
  for (const path of shared) {
    await requireDirectories(dir, path, files);
    const brought = await broughtAt(join(dir, path), files);
    if (brought === null) continue;
    notes.push(
      brought === "link"
        ? `install.shared has "${path}": the link that this build brings there is dropped on every host`
        : `install.shared has "${path}": the ${brought} that this build brings there is taken by hosts that have none in shared/ yet, ` +
            "and dropped by all others, which keep theirs",
    );
  }
  return notes;
}

async function broughtAt(path: string, files: Files): Promise<"directory" | "file" | "link" | null> {
  const kind = await files.kindOf(path);
  // An empty directory only says that there is one, as a host makes it anyway.
  if (kind === "directory") return (await files.list(path)).length === 0 ? null : "directory";
  return kind === "file" || kind === "link" ? kind : null;
}

async function requireDirectories(dir: string, path: string, files: Files): Promise<void> {
  for (let above = dirname(path); above !== "."; above = dirname(above)) {
    const kind = await files.kindOf(join(dir, above));
    if (kind === "directory" || kind === "absent") continue;
    throw new DeployError(
      `Cannot pack ${dir}: install.shared has "${path}", and "${above}" is a ${kind}, not a directory.`,
      {
        code: "manifest-invalid",
        hint: "Name a path in install.shared whose parents are plain directories.",
      },
    );
  }
}
