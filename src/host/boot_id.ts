import { readFileSync } from "node:fs";

/** The first process of a machine starts within a second of its kernel; in ticks (proc(5)). */
const WITH_THE_KERNEL = 100;

/**
 * Identifies the current boot. A container's boot is identified by its first process: everything in the container ends
 * with that process, while the kernel, whose boot id is all a container may see, keeps running.
 */
export function bootId(): string {
  const kernel = textOf("/proc/sys/kernel/random/boot_id").trim() || "unknown";
  // The second field is the program's name in brackets, which may itself contain brackets and spaces.
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
