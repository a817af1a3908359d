import type { GateMove } from "./gate_rules.ts";
import type { HostWatch } from "./host_watch.ts";
import type { Ledger } from "./ledger.ts";
import type { TreeView } from "./tree_view.ts";

/** What must hold of hosts that a person keeps out of service, and of those that leave by that. */
export class HoldRules {
  readonly #tree: TreeView;
  readonly #watches: ReadonlyMap<string, HostWatch>;
  readonly #ledger: Ledger;
  /** Of the hosts that were held: when a person has asked for that. */
  readonly #askedAt = new Map<string, string>();

  constructor(tree: TreeView, watches: ReadonlyMap<string, HostWatch>, ledger: Ledger) {
    this.#tree = tree;
    this.#watches = watches;
    this.#ledger = ledger;
  }

  /** The host is about to stop its service for good. */
  leaves({ name }: HostWatch): void {
    this.#ledger.reached("a host left");
    if (this.#tree.gate.holds.has(name) || this.#tree.damaged.size > 0) return;
    this.#ledger.broken("granted", `${name} leaves without being held`);
  }

  /** A person's slot goes when it is asked for no more and what was stopped by it runs again, or its host is forgotten. */
  moved({ before, isThroughGate }: Omit<GateMove, "author">): void {
    const { gate, hosts, alive } = this.#tree;
    for (const host of gate.holds.keys()) {
      const asked = hosts.get(host)?.hold;
      if (!before.holds.has(host) && asked !== undefined) this.#askedAt.set(host, asked.time);
    }
    for (const host of before.holds.keys()) {
      const record = hosts.get(host);
      if (gate.holds.has(host) || record === undefined) continue;
      const { hold } = record;
      if (hold !== undefined) {
        // Somebody's hand may write anything over it.
        if (isThroughGate && hold.time === this.#askedAt.get(host))
          this.#ledger.broken("stays-held", `${host} is held no more, and ${hold.who} has not given it back`);
        continue;
      }
      const phase = this.#watches.get(host)?.journal?.leaving?.phase;
      if (phase === undefined || !alive.has(host)) continue;
      this.#ledger.broken("stays-stopped", `${host} is given back, and its journal says that it is ${phase}`);
    }
  }
}
