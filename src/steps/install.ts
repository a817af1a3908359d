import { dirname, join, relative } from "node:path";
import { DeployError } from "../core/errors.ts";
import type { InstallSpec } from "../core/recipe.ts";
import type { ReleaseRecord } from "../schema/release_record.ts";
import { howItEnded } from "../support/command.ts";
import type { BuildWork, StepPorts } from "./ports.ts";

/**
 * Links what is shared between releases, runs the build's post-install steps inside the new release directory, before
 * anything points at it, and marks the release as installed when all of them ended well.
 *
 * @throws DeployError `install-failed` (with the end of the output), `install-timeout`, `manifest-invalid`
 */
export async function installStep(
  work: BuildWork,
  spec: InstallSpec,
  owner: { uid: number; gid: number } | undefined,
  ports: StepPorts,
): Promise<void> {
  const { layout, build } = work;
  for (const path of spec.shared) await linkShared(work, path, owner, ports);
  for (const [index, step] of spec.steps.entries()) {
    const label = index === 0 ? "install" : `install-${index + 1}`;
    const result = await ports.run(step.run, {
      background: "kill",
      timeoutMs: step.timeoutMs,
      label,
      as: "service",
      signal: ports.signal,
    });
    if (result.kind === "exited" && result.code === 0) continue;
    throw new DeployError(
      `Cannot install "${build}": step ${index + 1} of ${spec.steps.length}, "${step.run}", ${howItEnded(result, step.timeoutMs)}.`,
      {
        code: result.kind === "timed-out" ? "install-timeout" : "install-failed",
        hint: `Its output is in ${layout.log(build, label)} on the host.`,
        retry: result.kind !== "timed-out",
        cause: { tail: result.tail },
      },
    );
  }
  const installed: ReleaseRecord = { digest: work.record.digest, installed: true };
  await ports.files.syncTree(layout.release(build));
  await ports.files.writeAtomic(layout.record(build), `${JSON.stringify(installed)}\n`);
}

/**
 * Puts a link to `shared/<path>` in the release. What the first build brings at that path becomes the shared content;
 * what later ones bring gives way to it.
 */
async function linkShared(
  { layout, build }: BuildWork,
  path: string,
  owner: { uid: number; gid: number } | undefined,
  { files }: StepPorts,
): Promise<void> {
  const inRelease = join(layout.release(build), path);
  const inShared = join(layout.shared, path);
  if (!isBelow(layout.release(build), inRelease) || !isBelow(layout.shared, inShared)) {
    throw new DeployError(`Cannot link "${path}" of "${build}" into shared/: it leads outside the release.`, {
      code: "manifest-invalid",
      hint: "install.shared takes relative paths without .. in them.",
    });
  }
  for (const [root, at] of [
    [layout.release(build), inRelease],
    [layout.shared, inShared],
  ] as const) {
    await requireDirectories(root, dirname(at), path, build, files);
    await files.makeDirectory(dirname(at), 0o755);
  }
  const brought = await files.kindOf(inRelease);
  const there = await files.kindOf(inShared);
  const target = relative(dirname(inRelease), inShared);
  if (brought === "link" && (await files.linkTarget(inRelease)) === target) return;
  if (there === "absent") {
    if (brought === "directory" || brought === "file") await files.renameDurably(inRelease, inShared);
    else {
      await files.makeDirectory(inShared, 0o755);
      if (owner !== undefined) await files.giveTo(inShared, owner);
    }
  }
  await files.removeTree(inRelease);
  await files.makeLink(inRelease, target);
}

/** A link on the way would let a build, or the service's user, have things moved or removed outside. */
async function requireDirectories(
  root: string,
  directory: string,
  path: string,
  build: string,
  files: StepPorts["files"],
): Promise<void> {
  for (let at = directory; isBelow(root, at); at = dirname(at)) {
    const kind = await files.kindOf(at);
    if (kind === "directory" || kind === "absent") continue;
    throw new DeployError(`Cannot link "${path}" of "${build}" into shared/: ${at} is a ${kind}, not a directory.`, {
      code: "manifest-invalid",
      hint: "Name a path in install.shared whose parents are plain directories.",
    });
  }
}

function isBelow(directory: string, path: string): boolean {
  const way = relative(directory, path);
  return way !== "" && way !== ".." && !way.startsWith("../") && !way.startsWith("/");
}
