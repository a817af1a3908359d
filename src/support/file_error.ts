import { DeployError } from "../core/errors.ts";
import { escaped, printable } from "./printable.ts";

/** The system's error code (`ENOSPC`), or null if the value has none. */
export function errorCodeOf(error: unknown): string | null {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
}

/** The error of a failed call on a file; `attempted` is a sentence without a full stop that names the path. */
export function fileError(attempted: string, error: unknown): DeployError {
  if (error instanceof DeployError) return error;
  const text = escaped(error instanceof Error ? error.message : String(error));
  const code = errorCodeOf(error);
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return new DeployError(`${attempted}: no space is left (${code}).`, {
        code: "disk-full",
        hint: "Free space or inodes on that file system (df -h, df -i), or keep fewer releases.",
        retry: true,
        cause: error,
      });
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new DeployError(`${attempted}: not permitted (${code}) for uid ${process.getuid?.()}.`, {
        code: "internal",
        hint: "Give the agent's user the permission, or run the agent as root; see ReadWritePaths= under systemd.",
        cause: error,
      });
    case "EXDEV":
      return new DeployError(`${attempted}: they are on different file systems (EXDEV).`, {
        code: "internal",
        hint: "Releases appear and go by a rename. Mount a file system at the service's whole directory (services.<name>.root in agent.toml), or at shared/, but not at releases/ or anything else below it.",
        cause: error,
      });
    default:
      return new DeployError(`${attempted}: ${text}.`, { code: "internal", cause: error });
  }
}

/**
 * The error of a failed write: `disk-full` for a full disk or an exhausted quota.
 *
 * @param attempted the beginning of the sentence, such as `Cannot unpack "web"`
 * @param path the file that was written
 * @param bytes how many bytes in total had been written when it failed
 */
export function writeError(attempted: string, path: string, bytes: number, error: unknown): DeployError {
  return fileError(`${attempted}: writing ${printable(path)} failed after ${bytes} bytes`, error);
}

/** Runs `work`; an error of the system becomes a DeployError that names what was attempted. */
export async function naming<T>(attempted: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fileError(attempted, error);
  }
}
