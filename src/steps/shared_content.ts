import { DeployError } from "../core/errors.ts";
import type { Known } from "../fetch/tree/rules.ts";

/**
 * What people should know about the shared paths of a build before a host finds it out: only the first build of a service
 * fills `shared/`; what a later one contains at the same path is dropped.
 *
 * @param known what the release would contain, by path
 * @returns a sentence for each path that has content in the build
 * @throws DeployError `recipe-invalid` where a host would refuse the build
 */
export function sharedContent(build: string, known: ReadonlyMap<string, Known>, shared: readonly string[]): string[] {
  const notes: string[] = [];
  for (const path of shared) {
    requireDirectories(build, path, known);
    const brought = broughtAt(path, known);
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

function broughtAt(path: string, known: ReadonlyMap<string, Known>): "directory" | "file" | "link" | null {
  const kind = known.get(path);
  if (kind === undefined) return null;
  if (kind === "file") return "file";
  if (kind === "symlink") return "link";
  // An empty directory has no content to share; a host makes that directory anyway.
  for (const other of known.keys()) if (other.startsWith(`${path}/`)) return "directory";
  return null;
}

function requireDirectories(build: string, path: string, known: ReadonlyMap<string, Known>): void {
  for (let end = path.lastIndexOf("/"); end !== -1; end = path.lastIndexOf("/", end - 1)) {
    const above = path.slice(0, end);
    const kind = known.get(above);
    if (kind !== "file" && kind !== "symlink") continue;
    const what = kind === "symlink" ? "link" : kind;
    throw new DeployError(
      `Cannot link "${path}" of "${build}" into shared/: "${above}" of the build is a ${what}, not a directory.`,
      {
        code: "recipe-invalid",
        hint: "Name a path in install.shared whose parents are plain directories.",
      },
    );
  }
}
