import { readFileSync } from "node:fs";

/** The first process of a machine is as old as its kernel, to a second; in ticks (proc(5)). */
const WITH_THE_KERNEL = 100;

/**
 * Tells one boot from the next. A container's is told by its first process: with that everything in it ends, and the kernel,
 * whose own id is all that it may be shown, runs on.
 */
export function bootId(): string {
  const kernel = textOf("/proc/sys/kernel/random/boot_id").trim() || "unknown";
  // The second field is the program's name in brackets, and may itself hold brackets and blanks.
  const stat = textOf("/proc/1/stat");
  const startTicks = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? 0);
  return startTicks > WITH_THE_KERNEL ? `${kernel}/${startTicks}` : kernel;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
