import { readFileSync } from "node:fs";
import { DeployError } from "../core/errors.ts";
import type { HostUser } from "../support/command.ts";
import { becoming, DEFAULT_PATH } from "./processes_env.ts";

/** @throws DeployError `config-invalid` if the host does not know the user */
export function userByName(name: string): HostUser {
  const found = entryOf(name);
  if (found === null) {
    throw new DeployError(`Cannot run commands as "${name}": this host has no such user.`, {
      code: "config-invalid",
      hint: `Create it (useradd --system ${name}), or name another user in the agent's file.`,
    });
  }
  return found;
}

/** Looks up a name or a uid. Null if the host knows no such user. */
function entryOf(user: string): HostUser | null {
  const found = Bun.spawnSync(["getent", "passwd", "--", user], {
    env: { PATH: DEFAULT_PATH },
    stdin: "ignore",
    stderr: "ignore",
  });
  const [name, , uid, gid, , home] = found.stdout.toString().trim().split(":");
  if (found.exitCode !== 0 || name === undefined || uid === undefined || gid === undefined) return null;
  return { name, uid: Number(uid), gid: Number(gid), ...(home === undefined || home === "" ? {} : { home }) };
}

const IS_USABLE = 'test -d "$1" && test -w "$1" && test -x "$1"';

/**
 * The home of a user, or of the agent's own user, if it exists and that user may write in it; null otherwise. This is
 * tested as that user: groups, ACLs, and mounts that the agent's unit makes read-only are for the kernel to judge.
 */
export async function usableHome(user: HostUser | undefined): Promise<string | null> {
  const home = (user ?? entryOf(String(process.geteuid?.() ?? "")))?.home;
  if (home === undefined) return null;
  const child = Bun.spawn([...becoming(user), "/bin/sh", "-c", IS_USABLE, "sh", home], {
    cwd: "/",
    env: { PATH: DEFAULT_PATH },
    stdio: ["ignore", "ignore", "ignore"],
  });
  return (await child.exited) === 0 ? home : null;
}

/**
 * The name of the user this process runs as, from /etc/passwd, or `uid-N` for a uid without a name, as in containers. The
 * runtime's own `userInfo` trusts the USER variable, which services and containers often lack.
 */
export function ownUserName(): string {
  const uid = process.geteuid?.() ?? -1;
  try {
    const line = readFileSync("/etc/passwd", "utf8")
      .split("\n")
      .find((entry) => entry.split(":")[2] === String(uid));
    return line?.split(":")[0] ?? `uid-${uid}`;
  } catch {
    return `uid-${uid}`;
  }
}
