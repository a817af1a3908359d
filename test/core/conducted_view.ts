import type { HeldBack } from "../../src/core/between_services.ts";
import type { ConductedDeploy, ConductedService, Unreadable } from "../../src/core/conducted.ts";
import { emptyGate, outBy, type Gate } from "../../src/core/gate.ts";
import type { DeployRecord, DeployState } from "../../src/schema/deploy_record.ts";
import type { Failure, Hold, HostRecord, HostStatus, Slot, ToldFailure } from "../../src/schema/znodes.ts";
import { recordIn } from "../harness/deploy_records.ts";
import { hostStatus } from "../harness/host_status.ts";

export const since = "2026-01-01T00:00:00.000Z";
export const now = new Date("2026-01-02T03:04:05.000Z");

/** A slot by which a host is brought to v2 under deploy d1. */
export const slot = (changes: Partial<Slot> = {}): Slot => ({
  deploy: "d1",
  attempt: 1,
  build: "v2",
  since,
  record: 3,
  ...changes,
});

/** What a host says that failed on v2 under deploy d1, and is well. */
export const told = (changes: Partial<ToldFailure> = {}): ToldFailure => ({
  deploy: "d1",
  attempt: 1,
  build: "v2",
  reason: "it answers 500",
  again: 0,
  healthy: true,
  since,
  ...changes,
});

export const failure = (changes: Partial<Failure> = {}): Failure => ({ ...told(), round: 1, ...changes });

export function gateOf(
  slots: Readonly<Record<string, Slot>> = {},
  failed: Readonly<Record<string, Failure>> = {},
  unreadable: Readonly<Partial<Record<"slots" | "failed", readonly string[]>>> = {},
  holds: Readonly<Record<string, Hold>> = {},
): Gate {
  return {
    slots: new Map(Object.entries(slots)),
    holds: new Map(Object.entries(holds)),
    failed: new Map(Object.entries(failed)),
    unreadable: { slots: new Set(unreadable.slots), failed: new Set(unreadable.failed) },
  };
}

type DeployGiven = { readonly state?: DeployState; readonly limits?: DeployRecord["limits"]; readonly id?: string } & {
  readonly [field: string]: unknown;
};

/** A deploy from v1 to v2, whose record was read at version 3. What is out under it is filled in by `viewOf`. */
export function deploy({ state = "rolling", id = "d1", ...changes }: DeployGiven = {}): ConductedDeploy {
  return { id, record: recordIn(state, changes), recordVersion: 3, writtenAtMs: 0, out: outBy(emptyGate, id) };
}

/** What a host says that serves v1, has prepared v2 for deploy d1 and waits, but for `changes`. */
export function status(changes: Partial<HostStatus> = {}): HostStatus {
  return hostStatus({ build: "v1", health: "healthy", wish: { build: "v2", deploy: "d1" }, since, ...changes });
}

export const served = status({ build: "v2", step: "serving" });

/** Other services forbid nothing. */
export const nothingHeldBack: HeldBack = { service: null, host: () => null };

const none: ReadonlySet<string> = new Set();
export const readable: Unreadable = { wishes: false, deploys: none, hosts: none, statuses: none, builds: none };

/**
 * A service as the conductor may have read it: every host belongs to it and is connected; who says nothing has no status.
 * A host whose name begins with c is a canary host.
 */
export function viewOf(
  hosts: Readonly<Record<string, HostStatus | null>>,
  deploys: readonly ConductedDeploy[] = [deploy()],
  rest: Partial<ConductedService> = {},
): ConductedService {
  const names = Object.keys(hosts);
  const gate = rest.gate === undefined ? emptyGate : rest.gate;
  return {
    wishes: { enabled: { build: "v2", deploy: "d1" }, canary: null },
    hosts: new Map<string, HostRecord>(
      names.map((name) => [name, { role: name.startsWith("c") ? "canary" : "fleet" }]),
    ),
    status: new Map(
      names.flatMap((name) => {
        const said = hosts[name] ?? null;
        return said === null ? [] : [[name, said] as const];
      }),
    ),
    unreadable: readable,
    limits: { max: 1, budget: 0, soakMs: 0 },
    heldBack: nothingHeldBack,
    barred: new Map<string, string>(),
    builds: new Set(["v1", "v2"]),
    alive: new Set(names),
    missingSince: new Map(),
    nowMs: 1_000,
    lostAfterMs: 100,
    serverNowMs: 0,
    still: null,
    now,
    leftOut: none,
    ...rest,
    gate,
    deploys: deploys.map((each) => ({ ...each, out: outBy(gate ?? emptyGate, each.id) })),
  };
}
