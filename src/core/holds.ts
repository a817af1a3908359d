import { belongs, type ConductedService } from "./conducted.ts";
import { gateAfter, type GateMove } from "./gate.ts";
import { allowedBy, baseNow } from "./limit_base.ts";
import { inZone, outNow, taken } from "./out_of_service.ts";

/**
 * Holds are slots like any other: those that a person has given back go, and those that are asked for come when the
 * service's limits allow them, before any slot of a deploy, since a person waits for them.
 */
export function holds(view: ConductedService): GateMove[] {
  const { gate, limits } = view;
  if (gate === null) return [];
  const moves = [...gate.holds.keys()]
    .filter((host) => isGivenBack(view, host))
    .map((host): GateMove => ({ kind: "unhold", host }));
  const left = gateAfter(gate, moves);
  const slots = taken(left);
  const out = outNow(view, left);
  const { max, perZone } = allowedBy({ limits }, () => baseNow(view));
  for (const [host, { hold, zone }] of view.hosts) {
    if (hold === undefined || slots.has(host) || view.leftOut.has(host)) continue;
    // A host that is out already is not more out when somebody works on it.
    const counted = out.has(host) ? slots : out;
    if (counted.size >= max) continue;
    if (perZone !== null && zone !== undefined && inZone(view, counted, zone) >= perZone(zone)) continue;
    const { who, why } = hold;
    moves.push({ kind: "hold", host, hold: { hold: true, who, why, since: view.now.toISOString() } });
    slots.add(host);
    out.add(host);
  }
  return moves;
}

/**
 * While its record cannot be read, nobody knows whether it is. A host that was stopped to leave is out of service until it
 * says that it serves again, or cannot; one that is forgotten is nobody's.
 */
function isGivenBack(view: ConductedService, host: string): boolean {
  const { hosts, unreadable, status } = view;
  if (unreadable.hosts.has(host) || hosts.get(host)?.hold !== undefined) return false;
  return !belongs(view, host) || status.get(host)?.begun !== true;
}
