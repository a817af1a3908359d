import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { chmod, lstat, open, readdir, rename, rm, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { DeployError } from "../core/errors.ts";

/** Temporary names, so that what a crash left behind is known by its name alone. */
const TEMP_NAME = /^\..+\.[0-9a-f]{12}\.tmp$/;

/** A name beside `path` that nobody else uses: `.current.0123456789ab.tmp` for `current`. */
export function tempBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
}

/**
 * Replaces the file as a whole: after a crash or a power cut there is either the old content or the new.
 *
 * @param mode permissions of the file, 0o644 unless given
 * @throws DeployError `disk-full`, or `internal` naming the path
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  const temp = tempBeside(path);
  try {
    {
      await using file = await open(temp, "wx", mode);
      // The umask took bits off.
      await file.chmod(mode);
      await file.writeFile(data);
      await file.sync();
    }
    await rename(temp, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(temp, { force: true }).catch(() => {});
    throw fileError(`Cannot write "${path}"`, error);
  }
}

/** A rename is on the disk only when its directory is (fsync(2), Notes). */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}

/** Whoever may write in a service's directory could put anything there: a pipe that nobody writes to, a device, a flood. */
const LONGEST_TEXT = 16 * 1024 * 1024;

/** @throws DeployError `internal` for what is no plain file, or longer than a text ever is */
async function readPlain(path: string, flags: number): Promise<{ text: string; changedAtMs: number }> {
  // O_NONBLOCK: a pipe without a writer must not hold the agent up.
  await using file = await open(path, flags | constants.O_RDONLY | constants.O_NONBLOCK);
  const stat = await file.stat();
  if (!stat.isFile()) throw new DeployError(`Cannot read "${path}": it is no plain file.`, { code: "internal" });
  if (stat.size > LONGEST_TEXT) {
    throw new DeployError(`Cannot read "${path}": it has ${stat.size} bytes.`, { code: "internal" });
  }
  return { text: await file.readFile("utf8"), changedAtMs: stat.mtimeMs };
}

/** The text of a file in a release, or null when there is none; never what a link in its place leads to. */
export async function readUnlinked(path: string): Promise<string | null> {
  try {
    return (await readPlain(path, constants.O_NOFOLLOW)).text;
  } catch (error) {
    if (errorCodeOf(error) === "ENOENT") return null;
    throw fileError(`Cannot read "${path}"`, error);
  }
}

/** The file's text, or null when there is no such file. */
export async function readIfThere(path: string): Promise<string | null> {
  try {
    return (await readPlain(path, 0)).text;
  } catch (error) {
    if (errorCodeOf(error) === "ENOENT") return null;
    throw fileError(`Cannot read "${path}"`, error);
  }
}

/** The file's text and the time of its last change (milliseconds since the epoch), or null when there is none. */
export async function readWithTime(path: string): Promise<{ text: string; changedAtMs: number } | null> {
  try {
    return await readPlain(path, 0);
  } catch (error) {
    if (errorCodeOf(error) === "ENOENT") return null;
    throw fileError(`Cannot read "${path}"`, error);
  }
}

/**
 * Removes what writes and flips that were killed left in `dir`. Call it only while nobody else writes there.
 *
 * @returns how many were removed
 */
export async function sweepTemps(dir: string): Promise<number> {
  try {
    const temps = (await readdir(dir)).filter((name) => TEMP_NAME.test(name));
    for (const name of temps) await rm(join(dir, name), { force: true });
    return temps.length;
  } catch (error) {
    if (errorCodeOf(error) === "ENOENT") return 0;
    throw fileError(`Cannot clean up "${dir}"`, error);
  }
}

/** Removes a file or a tree; symbolic links in it are removed, never followed. Nothing there is fine. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (errorCodeOf(error) !== "EACCES") throw fileError(`Cannot remove "${path}"`, error);
    // Builds may carry directories without write permission, which stop everybody but root.
    try {
      await makeWritable(path);
      await rm(path, { recursive: true, force: true });
    } catch (again) {
      throw fileError(`Cannot remove "${path}"`, again);
    }
  }
}

async function makeWritable(path: string): Promise<void> {
  const stat = await lstat(path);
  if (!stat.isDirectory()) return;
  await chmod(path, 0o700);
  for (const name of await readdir(path)) await makeWritable(join(path, name));
}

/** Bytes that an ordinary user could still write on the file system of `path`. */
export async function freeBytes(path: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch (error) {
    throw fileError(`Cannot ask for the free space of "${path}"`, error);
  }
}

export function errorCodeOf(error: unknown): string | null {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
}

/** The error of a failed call on a file; `attempted` is a sentence without its full stop and names the path. */
export function fileError(attempted: string, error: unknown): DeployError {
  if (error instanceof DeployError) return error;
  const text = error instanceof Error ? error.message : String(error);
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
    default:
      return new DeployError(`${attempted}: ${text}.`, { code: "internal", cause: error });
  }
}
