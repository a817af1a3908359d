import { basename, dirname, join } from "node:path";
import { isDeployError } from "../core/errors.ts";
import { removable } from "../core/retention.ts";
import type { Files } from "../steps/files.ts";
import { STAGING_PREFIX, type Layout } from "../steps/layout.ts";
import type { Observation } from "./observe.ts";
import type { ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";

export interface Keep {
  readonly releases: number;
  readonly logBytes: number;
}

export interface Needed {
  readonly current: string | null;
  readonly proven: readonly string[];
  /** The build that the host is to have ready. */
  readonly ready: string | null;
  readonly inUse: ReadonlySet<string>;
}

/** Collects what this host does not need any more. */
export async function collectFor(
  { host, state }: { readonly host: ServiceHost; readonly state: ServiceState },
  { actual, inUse }: Observation,
): Promise<void> {
  const current = actual.current.kind === "link" ? actual.current.build : null;
  const { proven } = state.journal.now;
  const { releases, log_bytes: logBytes } = host.config.limits;
  const ready = state.snapshot.ready?.build ?? null;
  await collectGarbage(host.files, host.layout, { releases, logBytes }, { current, proven, ready, inUse });
}

/**
 * Removes old releases, their logs, and downloads that nobody needs any more. Called only while the host serves its wish.
 */
export async function collectGarbage(files: Files, layout: Layout, keep: Keep, needed: Needed): Promise<string[]> {
  const keepAlways = new Set([
    ...needed.proven,
    ...needed.inUse,
    ...[needed.current, needed.ready].filter((build) => build !== null),
  ]);
  const names = await files.list(layout.releases);
  const releases = await Promise.all(
    names.map(async (build) => ({ build, madeAtMs: (await files.look(layout.release(build)))?.touchedAtMs ?? 0 })),
  );
  const removed = removable(releases, keep.releases, keepAlways);
  for (const build of removed) {
    await setApart(files, layout, build);
    await files.removeTree(layout.record(build));
    await files.removeTree(layout.recipe(build));
    await files.removeTree(join(layout.logs, build));
  }
  // A service that was left running by its start command may write to that log for as long as it runs.
  if (needed.current !== null) {
    const logs = dirname(layout.log(needed.current, "restart"));
    for (const name of await files.list(logs)) {
      if (name.startsWith("restart")) await files.trimLog(join(logs, name), keep.logBytes);
    }
  }
  await removeStaging(files, layout, needed.ready);
  return removed;
}

/**
 * Moves a release away by one rename, so that it is either whole or gone, even when the agent is killed half-way through.
 */
async function setApart(files: Files, layout: Layout, build: string): Promise<void> {
  try {
    await files.makeDirectory(layout.staging(build), 0o700);
    await files.renameDurably(layout.release(build), join(layout.staging(build), "removed"));
  } catch (error) {
    if (!isDeployError(error) || error.code !== "disk-full") throw error;
    // A full disk has no room even for a rename. The record goes first: a release without one may be half removed.
    await files.removeTree(layout.record(build));
    await files.syncDirectory(layout.builds);
    await files.removeTree(layout.release(build));
  }
}

/** Removes downloads and half unpacked builds that nobody will go on with. @param but the build that is being prepared */
export async function removeStaging(files: Files, layout: Layout, but: string | null): Promise<void> {
  const kept = but === null ? null : basename(layout.staging(but));
  for (const name of await files.list(layout.root)) {
    if (name.startsWith(STAGING_PREFIX) && name !== kept) await files.removeTree(join(layout.root, name));
  }
}
