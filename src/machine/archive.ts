import type { UnpackLimits, Top } from "../fetch/tree/rules.ts";
import type { Digest } from "../schema/names.ts";
import type { Owner } from "../support/command.ts";

/** Operations on a build's archive. */
export interface Archive {
  /** @throws DeployError `aborted`, or the system's error when the file cannot be read */
  digest(path: string, signal: AbortSignal): Promise<{ readonly digest: Digest; readonly bytes: number }>;
  /**
   * Unpacks into an existing, empty directory. Nothing is flushed.
   *
   * @returns the directory that the whole archive lies in, if there is one
   * @throws DeployError `archive-hostile`, `archive-invalid`, `disk-full`, `aborted`
   */
  unpack(request: {
    readonly archive: string;
    readonly into: string;
    readonly limits: UnpackLimits;
    readonly owner?: Owner;
    readonly signal: AbortSignal;
  }): Promise<{ readonly top: Top | null }>;
}
