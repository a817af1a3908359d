import { DeployError, isDeployError } from "../core/errors.ts";
import { fetchedAnew, originPath } from "../fetch/origin.ts";
import { requireDigest } from "../fetch/digest.ts";
import { parseDownloadOrigin } from "../schema/download_origin.ts";
import type { BuildWork, StepEffects } from "./effects.ts";

/**
 * Compares the download with the build's digest and, when they agree, renames it to the name that contains the digest. A
 * download that was put together from several HTTP responses is fetched again once before it is given up: one of the
 * responses may have belonged to other content.
 */
export async function verifyStep(work: BuildWork, { files, archive, signal }: StepEffects): Promise<void> {
  const { layout, build, record } = work;
  const spool = layout.spool(build);
  try {
    const found = await archive.digest(spool, signal);
    requireDigest(found, { digest: record.digest, size: record.size, label: build });
  } catch (error) {
    if (!isDeployError(error) || error.code !== "digest-mismatch") throw error;
    const anew = fetchedAnew(parseDownloadOrigin(await files.readIfThere(originPath(spool))));
    // If it stayed, it would be taken for a finished download for ever.
    await files.removeTree(spool);
    if (anew === null) throw error;
    await files.writeAtomic(originPath(spool), JSON.stringify(anew), 0o600);
    throw new DeployError(error.message, {
      code: error.code,
      hint: "It was put together from several responses, so it is fetched again.",
      retry: true,
    });
  }
  await files.renameDurably(spool, layout.verified(build, record.digest));
}
