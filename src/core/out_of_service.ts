import { belongs, type ConductedService } from "./conducted.ts";
import { outOfService, type Gate } from "./gate.ts";

/** Hosts that have a slot or are held, or have something that may be either. */
export function taken({ slots, holds, unreadable }: Gate): Set<string> {
  return new Set([...slots.keys(), ...holds.keys(), ...unreadable.slots]);
}

/** Hosts that are, or may be, out of service now: by our leave, since they failed, or by a fault of their own. */
export function outNow(view: ConductedService, gate: Gate): Set<string> {
  const ours = taken(gate);
  const out = new Set([...outOfService(gate)].filter((host) => ours.has(host) || belongs(view, host)));
  // A host that has begun says so, even where somebody has deleted its slot.
  for (const [host, { health, begun }] of view.status) if (health === "unhealthy" || begun) add(view, out, host);
  for (const host of view.unreadable.statuses) add(view, out, host);
  return out;
}

/** A host whose agent is gone is unreachable, not failed: it must not hold up the others. */
function add(view: ConductedService, out: Set<string>, host: string): void {
  if (belongs(view, host) && view.alive.has(host)) out.add(host);
}

/** How many of the hosts are of the zone. */
export function inZone({ hosts }: Pick<ConductedService, "hosts">, names: ReadonlySet<string>, zone: string): number {
  let count = 0;
  for (const name of names) if (hosts.get(name)?.zone === zone) count += 1;
  return count;
}
