import { outOfService } from "../../../src/core/gate.ts";
import type { Activation } from "../../../src/schema/journal.ts";
import type { Allowances } from "./allowance.ts";
import type { HostWatch } from "./host_watch.ts";
import type { Ledger } from "./ledger.ts";
import type { TreeView } from "./tree_view.ts";

/** What must hold of a host that begins, and of whoever is out of service since. */
export class BeginRules {
  readonly #tree: TreeView;
  readonly #ledger: Ledger;
  /** Hosts that a build has failed on after they had begun. */
  readonly #victims = new Map<string, Set<string>>();

  readonly #allowances: Allowances;

  constructor(tree: TreeView, ledger: Ledger, allowances: Allowances) {
    this.#allowances = allowances;
    this.#tree = tree;
    this.#ledger = ledger;
  }

  /** In the instant in which its journal says so. */
  begun({ name, journal, tookFromService }: HostWatch, { deploy, build, attempt }: Activation): void {
    const failed = journal?.failed;
    const isAgain = (journal?.attempt?.again ?? 0) > (failed?.again ?? 0);
    if (failed?.deploy === deploy && failed.build === build && isAgain)
      this.#ledger.reached("a host that failed tried once more");
    if (failed?.deploy === deploy && failed.build === build && !isAgain) {
      this.#ledger.broken("failed-again", `${name} begins ${build} of ${deploy}, which has failed on it`);
    }
    const slot = this.#tree.gate.slots.get(name);
    if (slot?.deploy === deploy || !tookFromService || this.#tree.damaged.size > 0) return;
    const place = this.#tree.gate.failed.get(name);
    const invariant = place?.build === build && !place.healthy ? "granted-then-lost" : "granted";
    this.#ledger.broken(invariant, `${name} begins attempt ${attempt}, ${build} of ${deploy}, without a slot`);
  }

  /** In the instant in which it is let begin: its deploy has not stopped, and nobody has barred the build. */
  allowed(name: string, { deploy, build }: Pick<Activation, "deploy" | "build">): void {
    const state = this.#tree.deploys.get(deploy)?.record.state;
    if (state === "halted" || state === "aborted" || state === "paused")
      this.#ledger.broken("begun-after-halt", `${name} begins ${build} of ${deploy}, which is ${state}`);
    const isBarred = this.#tree.builds.get(build)?.barred !== undefined;
    if (state !== undefined && isBarred && state !== "rolling back" && state !== "rolled back")
      this.#ledger.broken("barred", `${name} begins ${build}, which is barred`);
  }

  /** Its activation has failed, and it goes back. */
  turnedBack({ name }: HostWatch, { deploy, build }: Activation): void {
    const key = `${deploy} ${build}`;
    const victims = this.#victims.get(key) ?? new Set();
    this.#victims.set(key, victims.add(name));
    const record = this.#tree.deploys.get(deploy)?.record;
    if (record === undefined) return;
    const most = this.#allowances.max(deploy, record) + this.#allowances.budget(deploy, record);
    // Whoever held a slot when the budget was used up may fail as well; and each time somebody tries again.
    if (victims.size <= most * record.round) return;
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
