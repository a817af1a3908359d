import { DeployError } from "../core/errors.ts";
import type { InstallSpec } from "../core/resolved_recipe.ts";
import { howItEnded } from "../support/command.ts";
import type { BuildWork, StepEffects } from "./effects.ts";
import { readReleaseRecord, writeReleaseRecord } from "./release_records.ts";

/**
 * Runs the build's post-install steps inside the new release directory, before `current` points at it, and marks the
 * release as installed when all of them succeeded.
 *
 * @throws DeployError `install-failed` (with the end of the output), `install-timeout`, `recipe-invalid`
 */
export async function installStep(work: BuildWork, spec: InstallSpec, effects: StepEffects): Promise<void> {
  const { layout, build } = work;
  for (const [index, step] of spec.steps.entries()) {
    const label = index === 0 ? "install" : `install-${index + 1}`;
    const result = await effects.run(step.run, {
      background: "kill",
      timeoutMs: step.timeoutMs,
      label,
      as: "service",
      signal: effects.signal,
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
  const known = await readReleaseRecord(layout, build, effects.files);
  // Without steps nothing has changed since it was unpacked and flushed.
  if (spec.steps.length > 0) await effects.files.syncTree(layout.release(build));
  const installed = { ...known, digest: work.record.digest, installed: true };
  await writeReleaseRecord(layout, build, installed, effects.files);
}
