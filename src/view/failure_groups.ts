import type { HostFailure } from "./deploy.ts";
import { oneLine } from "./words.ts";

/** Hosts that failed for the same cause. */
export interface FailureGroup {
  /** The sentence of the first of them. */
  readonly reason: string;
  readonly step: string;
  readonly build: string;
  readonly hint: string;
  /** The log of the first that has one. */
  readonly log: string;
  readonly hosts: readonly string[];
  /** How many of them serve the build before again, or this one after all. */
  readonly healthy: number;
}

/** By cause, the one with most hosts first. Numbers, and the host's own name, make no other cause of a sentence. */
export function failureGroups(failures: readonly HostFailure[]): FailureGroup[] {
  const groups = new Map<string, HostFailure[]>();
  for (const failure of failures) {
    const cause = causeOf(failure);
    const others = groups.get(cause);
    if (others === undefined) groups.set(cause, [failure]);
    else others.push(failure);
  }
  return [...groups.values()]
    .map((all): FailureGroup => {
      const [first] = all;
      const told = all.find(({ log }) => log !== "") ?? first;
      return {
        reason: oneLine(first?.reason ?? ""),
        step: first?.step ?? "",
        build: first?.build ?? "",
        hint: oneLine(told?.hint ?? ""),
        log: told?.log ?? "",
        hosts: all.map(({ host }) => host),
        healthy: all.filter(({ healthy }) => healthy).length,
      };
    })
    .toSorted((a, b) => b.hosts.length - a.hosts.length);
}

function causeOf({ host, step, build, reason }: HostFailure): string {
  return [step, build, reason.replaceAll(host, "HOST").replace(/\d+/g, "#")].join("\n");
}
