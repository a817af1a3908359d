import { dirname, join } from "node:path";
import { DeployError } from "../core/errors.ts";
import type { ReleaseRecord } from "../schema/release_record.ts";
import type { ExtractLimits } from "../fetch/tree_writer.ts";
import type { BuildWork, StepPorts } from "./ports.ts";

/**
 * Unpacks the verified archive beside its final place, flushes it, and gives it its name in one rename: a release
 * directory exists whole or not at all.
 */
export async function extractStep(
  work: BuildWork,
  limits: ExtractLimits,
  owner: { uid: number; gid: number } | undefined,
  { files, archive, signal }: StepPorts,
): Promise<void> {
  const { layout, build, record } = work;
  const tree = layout.tree(build);
  await files.removeTree(tree);
  await files.makeDirectory(tree, 0o700);
  try {
    await archive.unpack({
      archive: layout.verified(build, record.digest),
      into: tree,
      // What the packer counted is the tighter limit; the host's own is the one that always holds.
      limits: {
        maxBytes: Math.min(limits.maxBytes, record.unpackedBytes ?? limits.maxBytes),
        maxEntries: Math.min(limits.maxEntries, record.entries ?? limits.maxEntries),
      },
      signal,
      ...(owner === undefined ? {} : { owner }),
    });
  } catch (error) {
    await files.removeTree(tree);
    throw error;
  }
  if (owner !== undefined) await files.giveTo(tree, owner);
  await files.makePublic(tree);
  await files.syncTree(tree);
  await files.makeDirectory(layout.releases, 0o755);
  await moveAside(work, files);
  // Before the rename: a release that exists is always known by its digest.
  const known: ReleaseRecord = { digest: record.digest, installed: false };
  await files.makeDirectory(dirname(layout.record(build)), 0o755);
  await files.writeAtomic(layout.record(build), `${JSON.stringify(known)}\n`);
  await files.renameDurably(tree, layout.release(build));
  await files.removeTree(layout.staging(build));
}

/** Something lies where the release belongs and is not this build: half removed, or put there by hand. */
async function moveAside({ layout, build }: BuildWork, files: StepPorts["files"]): Promise<void> {
  if ((await files.kindOf(layout.release(build))) === "absent") return;
  if (
    (await files.kindOf(layout.current)) === "link" &&
    (await files.linkTarget(layout.current)).endsWith(`/${build}`)
  ) {
    throw new DeployError(
      `Cannot unpack "${build}": ${layout.release(build)} holds something else and current points at it.`,
      { code: "build-exists", hint: "Give the build an id of its own; builds never change." },
    );
  }
  await files.renameDurably(layout.release(build), join(layout.staging(build), "replaced"));
}
