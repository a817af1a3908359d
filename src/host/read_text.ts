import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { DeployError } from "../core/errors.ts";
import { errorCodeOf, fileError } from "../support/file_error.ts";

/** A limit in bytes: whoever may write in a service's directory could put anything there, such as an endless file. */
const LONGEST_TEXT = 16 * 1024 * 1024;

/**
 * The text of a regular file and the time of its last change (milliseconds since the epoch), or null if there is none.
 *
 * @throws DeployError `internal` for anything but a regular file, or a text that is too long; otherwise the system's
 *   error
 */
export async function readPlain(
  path: string,
  { follow }: { follow: boolean },
): Promise<{ text: string; changedAtMs: number } | null> {
  try {
    // O_NONBLOCK: a pipe without a writer must not block the agent.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | (follow ? 0 : constants.O_NOFOLLOW);
    await using file = await open(path, flags);
    const stat = await file.stat();
    if (!stat.isFile()) throw new DeployError(`Cannot read "${path}": it is not a regular file.`, { code: "internal" });
    if (stat.size > LONGEST_TEXT) {
      throw new DeployError(`Cannot read "${path}": it has ${stat.size} bytes.`, { code: "internal" });
    }
    return { text: await file.readFile("utf8"), changedAtMs: stat.mtimeMs };
  } catch (error) {
    if (errorCodeOf(error) === "ENOENT") return null;
    throw error;
  }
}

/** The file's text, or null if there is no such file. @throws DeployError naming the path */
export async function readIfThere(path: string): Promise<string | null> {
  try {
    return (await readPlain(path, { follow: true }))?.text ?? null;
  } catch (error) {
    throw fileError(`Cannot read "${path}"`, error);
  }
}
