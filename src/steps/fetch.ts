import { DeployError } from "../core/errors.ts";
import type { SourceLogins } from "../schema/agent_config.ts";
import type { BuildWork, StepEffects } from "./effects.ts";
import { loginAt } from "./source_login.ts";

/** Space that must stay free on the disk in addition to the archive and what it unpacks to. */
const SPARE_BYTES = 64 * 1024 * 1024;

export interface FetchPolicy {
  /** URL prefixes that the host accepts; none means any. */
  readonly sources: readonly string[];
  /** Credentials of the host, by source. */
  readonly logins: SourceLogins;
  /** Whether the agent is root. */
  readonly isRoot: boolean;
  readonly onProgress?: (bytesSoFar: number) => void;
}

/** Downloads the archive into the build's staging directory. A partial download of an earlier try is resumed. */
export async function fetchStep(
  work: BuildWork,
  policy: FetchPolicy,
  { files, network, signal }: StepEffects,
): Promise<void> {
  const { layout, build, record } = work;
  const spool = layout.spool(build);
  await files.makeDirectory(layout.staging(build), 0o700);
  const have = (await files.sizeOf(spool)) ?? 0;
  const needed = Math.max(0, record.size - have) + (record.unpackedBytes ?? record.size);
  const free = await files.freeBytes(layout.root);
  if (free < needed + SPARE_BYTES) {
    throw new DeployError(
      `Cannot fetch "${build}" into ${layout.root}: it needs ${needed} bytes and ${SPARE_BYTES} to spare, and ${free} are free.`,
      { code: "disk-full", hint: "Make room on the disk, or keep fewer releases (limits.releases).", retry: true },
    );
  }
  await network.download({
    url: record.url,
    into: spool,
    size: record.size,
    sources: policy.sources,
    loginAt: (url) => loginAt(url, policy.logins, files, policy.isRoot),
    signal,
    ...(policy.onProgress === undefined ? {} : { onProgress: policy.onProgress }),
  });
}
