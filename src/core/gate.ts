import type { Failure, Hold, Slot } from "../schema/znodes.ts";

/** Which hosts of a service are out of service by our leave, and which failed: what the service's gate guards. */
export interface Gate {
  readonly slots: ReadonlyMap<string, Slot>;
  /** Hosts that a person holds; a host has a slot or is held, never both. */
  readonly holds: ReadonlyMap<string, Hold>;
  readonly failed: ReadonlyMap<string, Failure>;
  /**
   * Hosts whose slot, or whose failure, cannot be read: since nobody knows what it says, they count as out of service.
   */
  readonly unreadable: Readonly<Record<"slots" | "failed", ReadonlySet<string>>>;
}

export const emptyGate: Gate = {
  slots: new Map(),
  holds: new Map(),
  failed: new Map(),
  unreadable: { slots: new Set(), failed: new Set() },
};

/** The part of a gate that one deploy accounts for. */
export interface OutHosts {
  readonly slots: Readonly<Record<string, Slot>>;
  readonly failed: Readonly<Record<string, Failure>>;
}

export const noneOut: OutHosts = { slots: {}, failed: {} };

/** By deploy, the hosts that hold a slot of it, and those whose last failure was under it; only deploys that have any. */
export function outByDeploy({ slots, failed }: Gate): ReadonlyMap<string, OutHosts> {
  const out = new Map<string, { slots: Record<string, Slot>; failed: Record<string, Failure> }>();
  const of = (deploy: string) => {
    const known = out.get(deploy) ?? { slots: {}, failed: {} };
    out.set(deploy, known);
    return known;
  };
  for (const [host, slot] of slots) of(slot.deploy).slots[host] = slot;
  for (const [host, failure] of failed) of(failure.deploy).failed[host] = failure;
  return out;
}

/** The part of the gate that this deploy accounts for. */
export function outBy(gate: Gate, deploy: string): OutHosts {
  return outByDeploy(gate).get(deploy) ?? noneOut;
}

/** One change to the slots and failures of a service. */
export type GateMove =
  /** A host may be taken out of service. */
  | { readonly kind: "grant"; readonly host: string; readonly slot: Slot }
  /** A host is out of service for a person. */
  | { readonly kind: "hold"; readonly host: string; readonly hold: Hold }
  /** The person is through with it: nothing else ends a hold, whatever becomes of the host's failures. */
  | { readonly kind: "unhold"; readonly host: string }
  /** The host is through with its slot and serves. */
  | { readonly kind: "release"; readonly host: string; readonly healthy: boolean }
  /** The host does not ask for its slot any more, or may not begin, and has not begun. */
  | { readonly kind: "reclaim"; readonly host: string }
  /** The host says that it failed; whether it held a slot or not. */
  | { readonly kind: "fail"; readonly host: string; readonly failure: Failure }
  /** A slot holder is missing: its slot becomes a failure, never a free slot. */
  | { readonly kind: "lose"; readonly host: string; readonly failure: Failure }
  /** A host that failed is healthy again, or a person says that it can be counted on: it gives its capacity back. */
  | { readonly kind: "heal"; readonly host: string }
  /** Nobody asks for a failure any more, or its host has left the service. */
  | { readonly kind: "clear"; readonly host: string };

/** The gate after these changes. */
export function gateAfter({ slots, holds, failed, unreadable }: Gate, moves: Iterable<GateMove>): Gate {
  const after = {
    slots: new Map(slots),
    holds: new Map(holds),
    failed: new Map(failed),
    unreadable: { slots: new Set(unreadable.slots), failed: new Set(unreadable.failed) },
  };
  for (const move of moves) {
    const { host } = move;
    if (move.kind !== "heal" && move.kind !== "unhold") after.unreadable.slots.delete(host);
    if (move.kind === "fail" || move.kind === "lose" || move.kind === "clear") after.unreadable.failed.delete(host);
    switch (move.kind) {
      case "grant":
        after.slots.set(host, move.slot);
        break;
      case "hold":
        after.holds.set(host, move.hold);
        break;
      case "unhold":
        after.holds.delete(host);
        break;
      case "release":
        after.slots.delete(host);
        if (move.healthy) heal(after.failed, host);
        break;
      case "reclaim":
        after.slots.delete(host);
        break;
      case "fail":
      case "lose":
        after.slots.delete(host);
        after.failed.set(host, move.failure);
        break;
      case "heal":
        heal(after.failed, host);
        break;
      case "clear":
        after.slots.delete(host);
        after.failed.delete(host);
        break;
    }
  }
  return after;
}

/** Its failure stays in the budget. */
function heal(failed: Map<string, Failure>, host: string): void {
  const failure = failed.get(host);
  if (failure !== undefined && !failure.healthy) failed.set(host, { ...failure, healthy: true });
}

/** Hosts that failed on `build`. */
export function failuresOf({ failed }: Pick<OutHosts, "failed">, build: string): string[] {
  return Object.entries(failed)
    .filter(([, failure]) => failure.build === build)
    .map(([host]) => host);
}

/** Those of the hosts that failed on `build` that do not try it once more. */
export function settledFailures(out: Pick<OutHosts, "failed">, build: string, again: number): string[] {
  return failuresOf(out, build).filter((host) => (out.failed[host]?.again ?? 0) >= again);
}

/** Those of the hosts that failed on `build` whose failure counts against the budget of the deploy's round. */
export function countedFailures(out: Pick<OutHosts, "failed">, build: string, round: number): string[] {
  return failuresOf(out, build).filter((host) => out.failed[host]?.round === round);
}

/** What these hosts told of their failures, by the hosts' own clocks: the first comes first. */
export function inOrderOfFailing(
  { failed }: Pick<OutHosts, "failed">,
  hosts: readonly string[],
): { readonly host: string; readonly failure: Failure }[] {
  return hosts
    .flatMap((host) => {
      const failure = failed[host];
      return failure === undefined ? [] : [{ host, failure }];
    })
    .toSorted(({ host: a, failure: { since: one } }, { host: b, failure: { since: other } }) =>
      one === other ? (a < b ? -1 : 1) : one < other ? -1 : 1,
    );
}

/** Hosts that are, or may be, out of service by our leave or since they failed. */
export function outOfService({ slots, holds, failed, unreadable }: Gate): Set<string> {
  const out = new Set([...slots.keys(), ...holds.keys(), ...unreadable.slots, ...unreadable.failed]);
  for (const [host, { healthy }] of failed) if (!healthy) out.add(host);
  return out;
}
