import { join } from "node:path";
import { DeployError } from "../core/errors.ts";
import type { DiskEntry } from "../machine/disk.ts";
import { ROOT_UID } from "../support/command.ts";
import type { Files } from "./files.ts";
import type { Layout } from "./layout.ts";

const WRITABLE_BY_GROUP = 0o020;
const WRITABLE_BY_ALL = 0o002;
const STICKY = 0o1000;
/** The most links that Linux follows in one path (path_resolution(7)). */
const MOST_LINKS = 40;

/**
 * Requires that an agent that is root may safely work in a service's directory: anybody who may write to it, or to one
 * above it, could put a link where the agent is about to write, remove or give away something.
 *
 * @throws DeployError `config-invalid` naming the directory, who may write there, and what to do
 */
export async function requireTrusted({ root, releases, builds }: Layout, files: Files): Promise<void> {
  const logs = join(root, "log");
  const places = [root, releases, builds, logs];
  for (const path of places) await requireTrustedWay(path, root, files);
  if ((await files.kindOf(root)) !== "directory") return;
  for (const build of await files.list(logs)) await requireTrustedWay(join(logs, build), root, files);
}

/**
 * Checks every directory from / to this one, including those that links on the way lead to.
 *
 * @param root the directory that it is needed for, for the message
 * @throws DeployError `config-invalid`
 */
export async function requireTrustedWay(place: string, root: string, files: Files): Promise<void> {
  const left = namesOf(place);
  let at = "/";
  for (let links = 0; left.length > 0;) {
    const name = left.shift() ?? "";
    const path = name === ".." ? join(at, "..") : join(at, name);
    const entry = await files.look(path);
    if (entry === null) {
      // The agent makes the missing directories, unless somebody else could be faster.
      const above = await files.look(at);
      if (above !== null && (above.mode & WRITABLE_BY_ALL) !== 0) throw unmade(root, path, at);
      return;
    }
    if (entry.kind === "link") {
      links += 1;
      if (links > MOST_LINKS) throw untrusted(root, path, "it is a link that leads to itself");
      const target = await files.linkTarget(path);
      left.unshift(...namesOf(target));
      if (target.startsWith("/")) at = "/";
      continue;
    }
    // The caller that needs a directory there reports what is there instead.
    if (entry.kind !== "directory") return;
    const problem = whoElseMayChange(entry);
    if (problem !== null) throw untrusted(root, path, problem);
    at = path;
  }
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

/**
 * Null where only root may change it. In a sticky directory, such as /tmp, nobody can change what belongs to somebody
 * else.
 */
function whoElseMayChange({ uid, gid, mode }: DiskEntry): string | null {
  if (uid !== ROOT_UID) return `it belongs to user ${uid}`;
  if ((mode & STICKY) !== 0) return null;
  if ((mode & WRITABLE_BY_ALL) !== 0) return "anybody may write in it";
  return (mode & WRITABLE_BY_GROUP) !== 0 && gid !== ROOT_UID ? `group ${gid} may write in it` : null;
}

function unmade(root: string, path: string, above: string): DeployError {
  return new DeployError(
    `Cannot work in "${root}" as root: "${path}" is not there, and anybody may write in "${above}".`,
    {
      code: "config-invalid",
      hint: `Somebody else could put a link there first. Make it yourself: install -d -m 755 ${path}`,
    },
  );
}

function untrusted(root: string, path: string, problem: string): DeployError {
  return new DeployError(`Cannot work in "${root}" as root because of "${path}": ${problem}.`, {
    code: "config-invalid",
    hint: `Whoever may write there could have root change files anywhere. Let only root write there: chown root: ${path} && chmod go-w ${path}; what is in releases/ and shared/ may still belong to the service's user.`,
  });
}
