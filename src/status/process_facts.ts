import { readdirSync, readFileSync } from "node:fs";

export interface ProcessFacts {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly openFds: number;
}

const PAGE_BYTES = 4096;

/**
 * This process in /proc (proc(5)); null where there is none. The runtime's own statistics are not used: they take longer
 * than a scrape may, and some of their names are not valid metric names.
 */
export function processFacts(): ProcessFacts | null {
  try {
    const { user, system } = process.cpuUsage();
    const pages = Number(readFileSync("/proc/self/statm", "utf8").split(" ")[1]);
    return {
      cpuSeconds: (user + system) / 1e6,
      residentBytes: pages * PAGE_BYTES,
      openFds: readdirSync("/proc/self/fd").length,
    };
  } catch {
    return null;
  }
}
