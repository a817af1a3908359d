import { DeployError } from "../core/errors.ts";
import { printable } from "./printable.ts";

/** The system's error name (`ENOSPC`), or "" when the value carries none. */
export function systemCode(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}

/**
 * A failed write as a DeployError: `disk-full` for a full disk or an exhausted quota, else `internal`.
 *
 * @param attempted the sentence's beginning, such as `Cannot unpack "web"`
 * @param path the file that was written
 * @param bytes how many bytes had been written in all when it failed
 */
export function asDiskError(error: unknown, attempted: string, path: string, bytes: number): DeployError {
  if (error instanceof DeployError) return error;
  const code = systemCode(error);
  const where = `${attempted}: writing ${printable(path)} failed after ${bytes} bytes`;
  if (code === "ENOSPC" || code === "EDQUOT") {
    const why = code === "ENOSPC" ? "no space or no inodes are left on the device" : "the disk quota is used up";
    return new DeployError(`${where}: ${why}.`, {
      code: "disk-full",
      hint: "Free space on this file system, or keep fewer releases.",
      // Old releases are collected by the agent itself, so the next attempt may find room.
      retry: true,
      cause: error,
    });
  }
  const text = error instanceof Error ? error.message : String(error);
  return new DeployError(`${where}: ${printable(text)}.`, { code: "internal", cause: error });
}
