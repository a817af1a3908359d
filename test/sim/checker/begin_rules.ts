import { outOfService } from "../../../src/core/gate.ts";
import type { Activation } from "../../../src/schema/journal.ts";
import type { HostWatch } from "./host_watch.ts";
import type { Ledger } from "./ledger.ts";
import type { TreeView } from "./tree_view.ts";

/** What must hold of a host that begins, and of whoever is out of service since. */
export class BeginRules {
  readonly #tree: TreeView;
  readonly #ledger: Ledger;
  /** Hosts that a build has failed on after they had begun. */
  readonly #victims = new Map<string, Set<string>>();

  constructor(tree: TreeView, ledger: Ledger) {
    this.#tree = tree;
    this.#ledger = ledger;
  }

  /** In the instant in which its journal says so. */
  begun({ name, journal, tookFromService }: HostWatch, { deploy, build, attempt }: Activation): void {
    const failed = journal?.failed;
    if (failed?.deploy === deploy && failed.build === build) {
      this.#ledger.broken("failed-again", `${name} begins ${build} of ${deploy}, which has failed on it`);
    }
    const slot = this.#tree.gate.slots.get(name);
    if (slot?.deploy === deploy || !tookFromService || this.#tree.damaged.size > 0) return;
    const place = this.#tree.gate.failed.get(name);
    const invariant = place?.build === build && !place.healthy ? "granted-then-lost" : "granted";
    this.#ledger.broken(invariant, `${name} begins attempt ${attempt}, ${build} of ${deploy}, without a slot`);
  }

  /** Its activation has failed, and it goes back. */
  turnedBack({ name }: HostWatch, { deploy, build }: Activation): void {
    const key = `${deploy} ${build}`;
    const victims = this.#victims.get(key) ?? new Set();
    this.#victims.set(key, victims.add(name));
    const limits = this.#tree.deploys.get(deploy)?.record.limits;
    // Whoever held a slot when the budget was used up may fail as well.
    if (limits === undefined || victims.size <= limits.max + limits.budget) return;
    this.#ledger.broken("budget", `${build} of ${deploy} took ${[...victims].join(", ")}`);
  }

  /** After anything: dead or alive, it is in somebody's books until it is well. */
  out(hosts: readonly HostWatch[]): void {
    const known = outOfService(this.#tree.gate);
    for (const { name, outage } of hosts) {
      // Whoever says that it is ill is counted as well.
      if (known.has(name) || this.#tree.statuses.get(name)?.health === "unhealthy") continue;
      this.#ledger.broken("forgotten", `${name} is out of service by ${outage?.deploy}, and nobody knows it`);
    }
  }
}
