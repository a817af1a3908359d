import { mkdir, readdir, readFile, rmdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { eventually } from "./eventually.ts";

/** A new control group in every hierarchy in which a systemd keeps its units. */
export interface ControlGroups extends AsyncDisposable {
  readonly directories: readonly string[];
}

/** Makes them below the caller's own; whoever is in them must have ended before they go. */
export async function makeControlGroups(name: string): Promise<ControlGroups> {
  const mine = await readFile("/proc/self/cgroup", "utf8");
  const directories: string[] = [];
  for (const line of (await readFile("/proc/self/mountinfo", "utf8")).split("\n")) {
    const [where = "", what = ""] = line.split(" - ");
    const [, , , root = "", mountPoint = ""] = where.split(" ");
    const isUnified = what.startsWith("cgroup2 ");
    if (!isUnified && !(what.startsWith("cgroup ") && what.includes("name=systemd"))) continue;
    const path = (isUnified ? /^0::(.*)$/m : /^\d+:name=systemd:(.*)$/m).exec(mine)?.[1];
    if (path !== undefined) directories.push(join(mountPoint, relative(root, path), name));
  }
  for (const directory of directories) await mkdir(directory);
  return {
    directories,
    [Symbol.asyncDispose]: async () => {
      // A process that has just been reaped may still count for a moment.
      for (const directory of directories) await eventually(() => removeGroup(directory).then(() => true));
    },
  };
}

/** A group's files are not real ones: it goes with rmdir alone, after the groups in it. */
async function removeGroup(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeGroup(join(directory, entry.name));
  }
  await rmdir(directory);
}
