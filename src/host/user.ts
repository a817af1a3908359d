import { readFileSync } from "node:fs";

/**
 * The name of the user this process runs as, from /etc/passwd, or `uid-N` for a uid without a name, as containers have
 * them. The runtime's own `userInfo` believes the USER variable, which services and containers often lack.
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
