import { nearest } from "../schema/problems.ts";
import { zoneOf, type Stage } from "../schema/stages.ts";
import type { HostRecord } from "../schema/znodes.ts";
import { DeployError } from "./errors.ts";

/** The stages that have no host that they could come to, one error each; what is misspelt should not be found at night. */
export function stagesWithoutHosts(
  service: string,
  stages: readonly Stage[],
  hosts: ReadonlyMap<string, Pick<HostRecord, "role" | "zone">>,
  attempted: string,
): DeployError[] {
  const all = [...hosts.values()];
  const isWithoutCanaries = stages[0]?.hosts === "canary" && !all.some(({ role }) => role === "canary");
  const zones = [...new Set(all.flatMap(({ zone }) => zone ?? []))].toSorted();
  const missing = stages.flatMap(({ hosts: which }) => zoneOf(which) ?? []).filter((zone) => !zones.includes(zone));
  return [
    ...(isWithoutCanaries ? [noCanary(service, all.length, attempted)] : []),
    ...missing.map((zone) => noSuchZone(zone, zones, all.length, attempted)),
  ];
}

function noCanary(service: string, hosts: number, attempted: string): DeployError {
  return new DeployError(`${attempted} on canary hosts: none of its ${hosts} hosts is a canary.`, {
    code: "usage",
    hint:
      hosts > 0
        ? `Name one with: deployd ctl hosts role ${service} HOST canary`
        : `A host registers itself when its agent starts with [services.${service}] in its agent.toml; see: deployd ctl hosts list ${service}`,
  });
}

function noSuchZone(zone: string, zones: readonly string[], hosts: number, attempted: string): DeployError {
  const near = nearest(zone, zones);
  const known = zones.length === 0 ? "no host says in which zone it is" : `there are: ${zones.join(", ")}`;
  return new DeployError(`${attempted} by zone: none of its ${hosts} hosts is in the zone "${zone}"; ${known}.`, {
    code: "usage",
    hint: near === undefined ? 'A host\'s zone is set in its agent.toml: zone = "a"' : `Did you mean "${near}"?`,
  });
}
