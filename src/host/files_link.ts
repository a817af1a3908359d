import { lstat, readlink, rename, rm, symlink } from "node:fs/promises";
import { dirname } from "node:path";
import { DeployError } from "../core/errors.ts";
import { errorCodeOf, fileError, syncDirectory, tempBeside } from "./files.ts";

/** What stands where a link is expected. */
export type LinkState =
  | { readonly kind: "absent" }
  /** `target` as written in the link. `changedAtMs`: when it was made, in milliseconds since the epoch. */
  | { readonly kind: "link"; readonly target: string; readonly changedAtMs: number }
  | { readonly kind: "foreign"; readonly what: "directory" | "file" | "other" };

export async function readLinkState(link: string): Promise<LinkState> {
  try {
    const stat = await lstat(link);
    if (stat.isSymbolicLink()) {
      // mtime and not ctime: a recursive chown changes ctime, and would make every service look older than its link.
      return { kind: "link", target: await readlink(link), changedAtMs: stat.mtimeMs };
    }
    return { kind: "foreign", what: stat.isDirectory() ? "directory" : stat.isFile() ? "file" : "other" };
  } catch (error) {
    if (errorCodeOf(error) === "ENOENT") return { kind: "absent" };
    throw fileError(`Cannot read the link "${link}"`, error);
  }
}

/**
 * Points `link` at `target` in one step: whoever opens it sees the old release or the new one, never neither. A link
 * that points there already keeps its time.
 *
 * @throws DeployError `current-not-a-link` when something else stands there, which is left as it is
 */
export async function flipSymlink(link: string, target: string): Promise<void> {
  const state = await readLinkState(link);
  switch (state.kind) {
    case "foreign":
      throw new DeployError(`Cannot point "${link}" at "${target}": it is a ${state.what}, not a symbolic link.`, {
        code: "current-not-a-link",
        hint: `Move it away (mv ${link} ${link}.old); deployd replaces only links of its own making.`,
      });
    case "link":
      if (state.target === target) return await synced(link);
      break;
    case "absent":
      break;
  }
  const temp = tempBeside(link);
  try {
    await symlink(target, temp);
    await rename(temp, link);
  } catch (error) {
    await rm(temp, { force: true }).catch(() => {});
    throw fileError(`Cannot point "${link}" at "${target}"`, error);
  }
  await synced(link);
}

/** Also for a link that was right already: the flip before may have been killed between its rename and this. */
async function synced(link: string): Promise<void> {
  try {
    await syncDirectory(dirname(link));
  } catch (error) {
    throw fileError(`Cannot bring the link "${link}" to the disk`, error);
  }
}
