import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { Clock } from "../support/clock.ts";
import { MARKER_PART } from "../support/command.ts";
import { killAll } from "../support/kill.ts";

/*
 * Control groups of deployd's own, one for each shell command (cgroups(7)). A process in a group stays in it, whatever
 * session, parent and environment it gives itself, and so does everything it starts.
 */

/** What the group's command may leave behind: nothing, or a service. */
export type GroupKind = "step" | "start";

const NAME_BYTES = 6;

/** Makes a group for one command; null if this agent may not make groups. @param marker of the command */
export async function makeGroup(marker: string, kind: GroupKind, clock: Clock): Promise<string | null> {
  const own = await ownDirectory();
  if (own === null) return null;
  const path = join(own, `${prefixOf(marker, kind)}${Buffer.from(clock.randomBytes(NAME_BYTES)).toString("hex")}`);
  try {
    await mkdir(path);
    return path;
  } catch {
    // The agent is not root, or the host has no cgroup hierarchy of its own, or a read-only one.
    return null;
  }
}

/** Whether this agent may make groups. */
export async function canMakeGroups(clock: Clock): Promise<boolean> {
  const path = await makeGroup("", "step", clock);
  if (path !== null) await removeIfEmpty(path);
  return path !== null;
}

/** Sends KILL to everything in the group until it is empty, and removes it. @returns how many processes were found */
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

/** The groups that still exist of commands with this marker, or with a marker that extends it. */
export async function groupsOf(marker: string, kind: GroupKind): Promise<string[]> {
  const own = await ownDirectory();
  if (own === null) return [];
  const names = await readdir(own).catch(() => []);
  return names.filter((name) => name.startsWith(prefixOf(marker, kind))).map((name) => join(own, name));
}

export async function removeEmptyGroups(marker: string, kind: GroupKind): Promise<void> {
  for (const path of await groupsOf(marker, kind)) await removeIfEmpty(path);
}

/** The deployd group that a process is in; null if it is in none. */
export async function groupOf(pid: number, marker: string, kind: GroupKind): Promise<string | null> {
  for (const path of await groupsOf(marker, kind)) if ((await membersOf(path)).includes(pid)) return path;
  return null;
}

/** Shell words that put the program after them into the group before it runs. */
export function entering(path: string | null): string {
  // A path with quotes would need escaping; the kernel's cgroup paths contain none.
  return path === null ? "" : `echo 0 >'${path}/cgroup.procs'; `;
}

async function membersOf(path: string): Promise<number[]> {
  const text = await readFile(join(path, "cgroup.procs"), "utf8").catch(() => "");
  return text
    .split("\n")
    .filter((line) => line !== "" && line !== "0")
    .map(Number);
}

/**
 * Sends KILL to the whole group, including processes forked meanwhile (Linux 5.14).
 *
 * @returns false if the kernel is older
 */
async function killGroup(path: string): Promise<boolean> {
  try {
    await writeFile(join(path, "cgroup.kill"), "1", { flag: "r+" });
    return true;
  } catch {
    return false;
  }
}

/** The kernel refuses to remove a group with processes in it; the next search for this service's groups finds it again. */
export async function removeIfEmpty(path: string): Promise<void> {
  await rmdir(path).catch(() => {});
}

/** The service's directory as a name, without the part that tells commands from each other. */
function prefixOf(marker: string, kind: GroupKind): string {
  const [base = ""] = marker.split(MARKER_PART);
  const name = new Bun.CryptoHasher("sha256").update(base).digest("hex").slice(0, 16);
  return `deployd-${kind}-${name}-`;
}

/** The agent's own group, in the unified hierarchy or else in systemd's; null if it is not visible. */
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
  // The group is outside of what is mounted here, as in some containers, or its name contains a quote, which nobody uses.
  return below.startsWith("..") || /['\\\n]/.test(`${place}${below}`) ? null : join(place, below);
}
