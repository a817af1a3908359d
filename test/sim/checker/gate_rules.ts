import { countedFailures, failuresOf, outBy, outOfService, type Gate } from "../../../src/core/gate.ts";
import type { Slot } from "../../../src/schema/znodes.ts";
import type { Allowances } from "./allowance.ts";
import type { HostWatch } from "./host_watch.ts";
import type { Ledger } from "./ledger.ts";
import type { DeployEntry, TreeView } from "./tree_view.ts";

/** What a transaction changed about slots and failures, told by what was there before. */
export interface GateMove {
  readonly before: Gate;
  /** The host whose session made the transaction; null where it was no agent's. */
  readonly author: string | null;
  /** The gate's own node was changed with it. */
  readonly isThroughGate: boolean;
}

/** What must hold of slots and failures, transaction by transaction. */
export class GateRules {
  readonly #tree: TreeView;
  readonly #watches: ReadonlyMap<string, HostWatch>;
  readonly #ledger: Ledger;

  readonly #allowances: Allowances;

  constructor(tree: TreeView, watches: ReadonlyMap<string, HostWatch>, ledger: Ledger, allowances: Allowances) {
    this.#allowances = allowances;
    this.#tree = tree;
    this.#watches = watches;
    this.#ledger = ledger;
  }

  moved({ before, author, isThroughGate }: GateMove): void {
    const after = this.#tree.gate;
    if (author !== null && !isThroughGate)
      this.#ledger.broken("one-writer", `${author} changed slots or failures, and not their gate`);
    for (const [host, slot] of before.slots) if (after.slots.get(host) !== slot) this.#gone(author, host, slot);
    // What a person puts there by hand is nobody's grant.
    const granted = author === null ? [] : [...after.slots].filter(([host, slot]) => before.slots.get(host) !== slot);
    for (const [at, [host, slot]] of granted.entries()) {
      // Those that were granted in the same transaction after it do not count yet.
      const later = new Set(granted.slice(at + 1).map(([name]) => name));
      this.#granted(host, slot, new Set([...after.slots.keys()].filter((name) => !later.has(name))));
    }
    for (const deploy of this.#tree.deploys.values()) this.#failed(deploy, before);
  }

  /** @param slots the hosts that hold one, the granted host among them */
  #granted(host: string, slot: Slot, slots: ReadonlySet<string>): void {
    const { gate } = this.#tree;
    const deploy = this.#tree.deploys.get(slot.deploy);
    if (deploy === undefined) return;
    const { record, id } = deploy;
    this.#allowances.granted(id);
    const [max, budget] = [this.#allowances.max(id, record), this.#allowances.budget(id, record)];
    const failed = [...outOfService({ ...gate, slots: new Map() })].filter((name) => this.#tree.hosts.has(name));
    const out = new Set([...slots, ...failed]);
    const status = this.#tree.statuses.get(host);
    const wasOut =
      status?.health === "nothing" || status?.health === "unhealthy" || gate.failed.get(host)?.healthy === false;
    const counted = wasOut ? slots : out;
    if (counted.size > max) {
      this.#ledger.broken(
        "slots-within-max",
        `${host} was granted a slot of ${id}: ${[...counted].join(", ")} are more than ${max}`,
      );
    }
    this.#assertZone(host, slot, counted, wasOut);
    if (counted.size === max) this.#ledger.reached("the last slot of max granted");
    if (record.state === "halted" || record.state === "aborted" || record.state === "paused") {
      this.#ledger.broken("budget", `${host} was granted a slot of ${id}, which is ${record.state}`);
    }
    const failures = countedFailures(outBy(gate, id), slot.build, record.round);
    if (failures.length > budget) {
      this.#ledger.broken(
        "budget",
        `${host} was granted a slot of ${id} after ${failures.join(", ")} failed on ${slot.build}`,
      );
    }
  }

  #assertZone(host: string, { deploy }: Slot, out: ReadonlySet<string>, wasOut: boolean): void {
    const zone = this.#tree.hosts.get(host)?.zone;
    const record = this.#tree.deploys.get(deploy)?.record;
    if (zone === undefined || record === undefined || wasOut) return;
    const max = this.#allowances.perZone(deploy, record, zone);
    const there = [...out].filter((name) => this.#tree.hosts.get(name)?.zone === zone);
    if (max === null || there.length < max) return;
    if (there.length === max) return this.#ledger.reached("the last slot of a zone granted");
    const what = `${there.join(", ")} of zone ${zone} are more than ${max}`;
    this.#ledger.broken("slots-within-max", `${host} was granted a slot of ${deploy}: ${what}`);
  }

  #gone(author: string | null, host: string, slot: Slot): void {
    const failure = this.#tree.gate.failed.get(host);
    const isFailure = failure?.deploy === slot.deploy && failure.attempt === slot.attempt;
    if (isFailure && failure.reason.startsWith("lost") && !failure.healthy) {
      this.#ledger.reached("a holder was lost");
      if (this.#tree.alive.has(host))
        this.#ledger.broken("dead-holder", `${host} is counted as lost, and its agent is connected`);
    }
    const status = this.#tree.statuses.get(host);
    // Some are a person's doing, who edits records or has forgotten the host.
    if (isFailure || author === null || status === undefined || !this.#tree.hosts.has(host)) return;
    this.#assertThrough(host, slot);
    if (status.attempt === slot.attempt && status.begun) {
      this.#ledger.broken("dead-holder", `${author} took the slot of ${host}, which has begun by it`);
    }
    if (status.attempt === slot.attempt && status.step === "serving") return;
    this.#ledger.reached("a slot taken back that was not used");
  }

  /** Whoever has no slot any more must not come to doubt the build again, or still be on the way. */
  #assertThrough(host: string, slot: Slot): void {
    const activation = this.#watches.get(host)?.journal?.activation ?? null;
    if (activation?.deploy !== slot.deploy || activation.attempt !== slot.attempt) return;
    if (activation.phase.kind === "proven") return;
    const what = `its journal says that it is on the way ${activation.phase.kind}`;
    this.#ledger.broken("write-ahead", `the slot of ${host} in ${slot.deploy} is given back, and ${what}`);
  }

  #failed({ id, record }: DeployEntry, before: Gate): void {
    const [was, is] = [before, this.#tree.gate].map((gate) => failuresOf(outBy(gate, id), record.build).length);
    if (was === is) return;
    const budget = this.#allowances.budget(id, record);
    if (is === budget) this.#ledger.reached("the budget used up, not exceeded");
    if (is === budget + 1) this.#ledger.reached("a deploy halted past its budget");
  }
}
