import { dirname, join, relative } from "node:path";
import { DeployError } from "../core/errors.ts";
import type { Owner } from "../support/command.ts";
import type { Files } from "./files.ts";
import type { Layout } from "./layout.ts";

/** A build that was unpacked into `tree`, where nobody but the agent can reach it yet. */
export interface NewTree {
  readonly build: string;
  readonly tree: string;
  readonly layout: Layout;
  readonly owner: Owner | undefined;
}

/**
 * Puts a link to `shared/<path>` in the tree. What the first build contains at that path becomes the shared content; what
 * later builds contain there is dropped.
 *
 * The tree is the agent's alone, so it may be changed by path. What lies in `shared/` belongs to the service's user, who
 * can replace any directory there by a link at any time: the only thing done there is to move one entry in, by a
 * directory that is held open.
 *
 * @returns whether something that the build contains was dropped
 * @throws DeployError `recipe-invalid` where a link, or anything but a directory, is on the way
 */
export async function linkShared(
  { build, tree, layout, owner }: NewTree,
  path: string,
  files: Files,
): Promise<{ gaveWay: boolean }> {
  const inTree = join(tree, path);
  const inRelease = join(layout.release(build), path);
  const inShared = join(layout.shared, path);
  await requireDirectories(tree, dirname(inTree), path, build, files);
  await files.makeDirectory(dirname(inTree), 0o755);
  await files.makeDirectory(layout.shared, 0o755);
  const brought = await files.kindOf(inTree);
  const there = await files.kindBelow(layout.shared, path);
  if (there === "blocked") {
    throw new DeployError(
      `Cannot link "${path}" of "${build}" into shared/: what is above ${inShared} is no directory, or a link.`,
      { code: "recipe-invalid", hint: "Name a path in install.shared whose parents are plain directories." },
    );
  }
  const hasContent = brought === "directory" || brought === "file";
  if (there === "absent") {
    const first = join(layout.staging(build), "shared");
    await files.removeTree(first);
    if (hasContent) await files.renameDurably(inTree, first);
    else await files.makeDirectory(first, 0o755);
    if (owner !== undefined) await files.giveTo(first, owner);
    // It is flushed before it gets its final name: once the name exists, the content is never copied again.
    await files.syncTree(first);
    await files.moveBelow(first, layout.shared, path);
  }
  await files.removeTree(inTree);
  await files.makeLink(inTree, relative(dirname(inRelease), inShared));
  return { gaveWay: there !== "absent" && hasContent };
}

/** A link on the way, which a build may contain, would cause files outside to be moved or removed. */
async function requireDirectories(
  tree: string,
  directory: string,
  path: string,
  build: string,
  files: Files,
): Promise<void> {
  for (let at = directory; at !== tree; at = dirname(at)) {
    const kind = await files.kindOf(at);
    if (kind === "directory" || kind === "absent") continue;
    throw new DeployError(
      `Cannot link "${path}" of "${build}" into shared/: "${relative(tree, at)}" of the build is a ${kind}, not a directory.`,
      { code: "recipe-invalid", hint: "Name a path in install.shared whose parents are plain directories." },
    );
  }
}
