import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import { DeployError } from "../core/errors.ts";
import { errorCodeOf } from "../support/file_error.ts";
import { checkLinkTarget, checkPath } from "../fetch/tree/entry_rules.ts";
import { printable } from "../support/printable.ts";
import type { PackedEntry } from "./tar_header.ts";

const OWNER_EXECUTE = 0o100;

/** Whether a path is excluded; an excluded directory is excluded with everything in it. */
export type LeavesOut = (path: string) => boolean;

/**
 * Walks a directory in the order of its names, each directory before its contents. Anything that could not be unpacked
 * again is an error, unless it is excluded by name: a build that silently lacks a file would be worse than none.
 */
export function* scanTree(root: string, leavesOut: LeavesOut): Generator<PackedEntry, void, void> {
  yield* scanDirectory(root, "", leavesOut);
}

function* scanDirectory(root: string, parent: string, leavesOut: LeavesOut): Generator<PackedEntry, void, void> {
  for (const name of namesIn(root, parent)) {
    const path = parent === "" ? name : `${parent}/${name}`;
    if (leavesOut(path)) continue;
    const entry = describe(root, path);
    yield entry;
    if (entry.kind === "directory") yield* scanDirectory(root, path, leavesOut);
  }
}

function namesIn(root: string, path: string): string[] {
  try {
    // Sorted by code unit, not by locale: the order must be the same on every machine.
    return readdirSync(`${root}/${path}`).sort();
  } catch (error) {
    throw unreadable(path === "" ? root : path, error);
  }
}

function describe(root: string, path: string): PackedEntry {
  const absolute = `${root}/${path}`;
  const ruling = checkPath(path, "other");
  if (!ruling.ok) throw unpackable(path, ruling.why, ruling.hint);
  try {
    const found = lstatSync(absolute);
    if (found.isDirectory()) return { kind: "directory", path };
    if (found.isFile()) {
      const executable = (found.mode & OWNER_EXECUTE) !== 0;
      return { kind: "file", path, size: found.size, executable, mtimeSeconds: found.mtimeMs / 1000 };
    }
    if (found.isSymbolicLink()) {
      const target = readlinkSync(absolute);
      const linkRuling = checkLinkTarget(path, target);
      if (!linkRuling.ok) throw unpackable(path, linkRuling.why, linkRuling.hint);
      return { kind: "symlink", path, target };
    }
  } catch (error) {
    throw error instanceof DeployError ? error : unreadable(path, error);
  }
  throw unpackable(path, "it is a socket, a fifo or a device");
}

function unpackable(
  path: string,
  why: string,
  hint = "Remove it from the directory, or leave it out with --exclude: no host would unpack it.",
): DeployError {
  return new DeployError(`Cannot pack "${printable(path)}": ${printable(why)}.`, { code: "archive-hostile", hint });
}

export function unreadable(path: string, cause: unknown): DeployError {
  const code = errorCodeOf(cause);
  const why = code === "ENOENT" ? "it is gone, or its name is not valid UTF-8" : (code ?? String(cause));
  return new DeployError(`Cannot pack "${printable(path)}": ${why}.`, {
    code: "usage",
    hint: "Pack a directory that is readable and that nothing writes to.",
    cause,
  });
}
