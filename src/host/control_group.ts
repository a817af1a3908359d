import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { Clock } from "../support/clock.ts";
import { MARKER_PART } from "../support/command.ts";
import { killAll } from "../support/kill.ts";

/*
 * Control groups of deployd's own, one for each line of shell (cgroups(7)). Who is in one stays in it, whatever session,
 * parent and environment it gives itself, and so does all that it starts.
 */

/** What the group's line may leave behind: nothing, or a service. */
export type GroupKind = "step" | "start";

const NAME_BYTES = 6;

/** A group for one line; null where this agent may make none. @param marker of the line */
export async function makeGroup(marker: string, kind: GroupKind, clock: Clock): Promise<string | null> {
  const own = await ownDirectory();
  if (own === null) return null;
  const path = join(own, `${prefixOf(marker, kind)}${Buffer.from(clock.randomBytes(NAME_BYTES)).toString("hex")}`);
  try {
    await mkdir(path);
    return path;
  } catch {
    // Not root, no hierarchy of its own, or one that is read-only.
    return null;
  }
}

/** Whether this agent may make groups. */
export async function canMakeGroups(clock: Clock): Promise<boolean> {
  const path = await makeGroup("", "step", clock);
  if (path !== null) await removeIfEmpty(path);
  return path !== null;
}

/** KILLs all that is in the group until there is nothing, and removes it. @returns how many processes were found */
export async function endGroup(path: string, clock: Clock): Promise<number> {
  const members = async (): Promise<{ pid: number; isKilled: boolean }[]> => {
    const pids = await membersOf(path);
    const isKilled = pids.length > 0 && (await killGroup(path));
    return pids.map((pid) => ({ pid, isKilled }));
  };
  const kill = ({ pid, isKilled }: { pid: number; isKilled: boolean }): void => {
    if (!isKilled) process.kill(pid, "SIGKILL");
  };
  const found = await killAll(members, kill, clock);
  await removeIfEmpty(path);
  return found;
}

/** The groups of lines with this marker, or one that goes on after it, which are still there. */
export async function groupsOf(marker: string, kind: GroupKind): Promise<string[]> {
  const own = await ownDirectory();
  if (own === null) return [];
  const names = await readdir(own).catch(() => []);
  return names.filter((name) => name.startsWith(prefixOf(marker, kind))).map((name) => join(own, name));
}

export async function removeEmptyGroups(marker: string, kind: GroupKind): Promise<void> {
  for (const path of await groupsOf(marker, kind)) await removeIfEmpty(path);
}

/** The group of deployd's that a process is in; null when it is in none. */
export async function groupOf(pid: number, marker: string, kind: GroupKind): Promise<string | null> {
  for (const path of await groupsOf(marker, kind)) if ((await membersOf(path)).includes(pid)) return path;
  return null;
}

/** Words that have the program after them entered into the group before it is run. */
export function entering(path: string | null): string {
  // Its own quotes would be the shell's; a directory of the kernel's has none.
  return path === null ? "" : `echo 0 >'${path}/cgroup.procs'; `;
}

async function membersOf(path: string): Promise<number[]> {
  const text = await readFile(join(path, "cgroup.procs"), "utf8").catch(() => "");
  return text
    .split("\n")
    .filter((line) => line !== "" && line !== "0")
    .map(Number);
}

/** KILLs all of it, also those that are forked meanwhile (Linux 5.14). @returns false where the kernel is older */
async function killGroup(path: string): Promise<boolean> {
  try {
    await writeFile(join(path, "cgroup.kill"), "1", { flag: "r+" });
    return true;
  } catch {
    return false;
  }
}

/** The kernel refuses one that somebody is in; the next look at this service's groups finds it again. */
export async function removeIfEmpty(path: string): Promise<void> {
  await rmdir(path).catch(() => {});
}

/** A service's directory as a name; what tells one line from the others is left out. */
function prefixOf(marker: string, kind: GroupKind): string {
  const [base = ""] = marker.split(MARKER_PART);
  const name = new Bun.CryptoHasher("sha256").update(base).digest("hex").slice(0, 16);
  return `deployd-${kind}-${name}-`;
}

/** The agent's own group, in the unified hierarchy or else in systemd's; null where it is not to be seen. */
async function ownDirectory(): Promise<string | null> {
  const [groups, mounts] = await Promise.all(
    ["/proc/self/cgroup", "/proc/self/mountinfo"].map((path) => readFile(path, "utf8").catch(() => "")),
  );
  const found = (groups ?? "").split("\n");
  const mounted = (mounts ?? "").split("\n");
  return (
    directoryIn(found, mounted, /^0::(.*)$/, (what) => what.startsWith("cgroup2 ")) ??
    directoryIn(found, mounted, /^\d+:name=systemd:(.*)$/, (what) => /^cgroup .*\bname=systemd\b/.test(what))
  );
}

function directoryIn(
  groups: readonly string[],
  mounts: readonly string[],
  line: RegExp,
  isHierarchy: (what: string) => boolean,
): string | null {
  const group = groups.map((text) => line.exec(text)?.[1]).find((path) => path !== undefined);
  const mount = mounts.map((text) => text.split(" - ")).find(([, what = ""]) => isHierarchy(what));
  if (group === undefined || mount === undefined) return null;
  const [, , , root = "", place = ""] = (mount[0] ?? "").split(" ");
  const below = relative(root, group);
  // Outside of what is mounted here, as in some containers; a name with a quote, which nobody makes.
  return below.startsWith("..") || /['\\\n]/.test(`${place}${below}`) ? null : join(place, below);
}
