import type { ProcessFact } from "../machine/processes.ts";

/**
 * The processes of an instance that nobody knows by pid, because a line of shell has started it: those whose parent is not
 * one of them.
 *
 * @param instance null for a service that has no other
 */
export function leadersOf(all: readonly ProcessFact[], instance: string | null): number[] {
  const own = all.filter((process) => instance === null || process.instance === instance);
  const pids = new Set(own.map(({ pid }) => pid));
  return own.filter(({ parent }) => !pids.has(parent)).map(({ pid }) => pid);
}
