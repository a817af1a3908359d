import { isDeployError } from "../core/errors.ts";
import { requireDigest } from "../fetch/verify.ts";
import type { BuildWork, StepPorts } from "./ports.ts";

/** Compares the download with the build's digest and, when it is the right one, gives it the name that says so. */
export async function verifyStep(work: BuildWork, { files, archive, signal }: StepPorts): Promise<void> {
  const { layout, build, record } = work;
  const spool = layout.spool(build);
  try {
    const found = await archive.digest(spool, signal);
    requireDigest(found, { digest: record.digest, size: record.size, label: build });
  } catch (error) {
    // Left in place it would be taken for a finished download for ever.
    if (isDeployError(error) && error.code === "digest-mismatch") await files.removeTree(spool);
    throw error;
  }
  await files.renameDurably(spool, layout.verified(build, record.digest));
}
