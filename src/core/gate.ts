import { summed, sumOfKnown } from "./restart_progress.ts";
import type { RestartCost } from "../schema/journal.ts";
import type { Failure, Gate, Slot } from "../schema/znodes.ts";

export const emptyGate: Gate = { slots: {}, failed: {} };

/** The gate with one more host out of service. */
export function withSlot(gate: Gate, host: string, slot: Slot): Gate {
  return { ...gate, slots: { ...gate.slots, [host]: slot } };
}

/** The gate with the host's slot given back, whichever attempt holds it; a failure of the host stays on record. */
export function withoutSlot(gate: Gate, host: string): Gate {
  const { [host]: _, ...slots } = gate.slots;
  return { ...gate, slots };
}

/** The gate with the host's slot turned into a failure. */
export function withFailure(gate: Gate, host: string, failure: Failure): Gate {
  const rest = withoutSlot(gate, host);
  return { ...rest, failed: { ...rest.failed, [host]: failure } };
}

/**
 * The gate after a host that had failed proved healthy: it gives its capacity back, and its failure stays in the budget.
 * Returns the same object where nothing changes.
 */
export function withHealthy(gate: Gate, host: string): Gate {
  const failure = gate.failed[host];
  if (failure === undefined || failure.healthy) return gate;
  return { ...gate, failed: { ...gate.failed, [host]: { ...failure, healthy: true } } };
}

/** The gate with the cost of one more host's restarts added. */
export function withCost(gate: Gate, added: RestartCost): Gate {
  const { cost } = gate;
  return {
    ...gate,
    cost: {
      ...cost,
      hosts: (cost?.hosts ?? 0) + 1,
      instances: (cost?.instances ?? 0) + added.instances,
      closed: sumOfKnown(cost?.closed ?? null, added.closed),
      refused: sumOfKnown(cost?.refused ?? null, added.refused),
      phaseMs: summed<string>(cost?.phaseMs ?? {}, added.phaseMs) as Record<string, number>,
    },
  };
}

/**
 * The gate of a deploy that is requested again: its failures on `build` no longer count against the budget, but those
 * hosts still count against max. Returns the same object where there is nothing to forgive.
 */
export function withForgiven(gate: Gate, build: string): Gate {
  if (countedFailures(gate, build).length === 0) return gate;
  const failed = Object.entries(gate.failed).map(([host, failure]) => [
    host,
    failure.build === build ? { ...failure, forgiven: true } : failure,
  ]);
  return { ...gate, failed: Object.fromEntries(failed) as Gate["failed"] };
}

/** Hosts that failed on `build`. */
export function failuresOf(gate: Gate, build: string): string[] {
  return Object.entries(gate.failed)
    .filter(([, failure]) => failure.build === build)
    .map(([host]) => host);
}

/** Those of the hosts that failed on `build` whose failure counts against the budget. */
export function countedFailures(gate: Gate, build: string): string[] {
  return failuresOf(gate, build).filter((host) => gate.failed[host]?.forgiven !== true);
}

/** Hosts that are, or may be, out of service because of this deploy. */
export function outOfService(gate: Gate): string[] {
  const failed = Object.entries(gate.failed).filter(([, failure]) => !failure.healthy);
  return [...Object.keys(gate.slots), ...failed.map(([host]) => host)];
}
