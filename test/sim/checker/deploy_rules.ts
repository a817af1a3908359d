import { countedFailures } from "../../../src/core/gate.ts";
import type { Allowances } from "./allowance.ts";
import type { HostWatch } from "./host_watch.ts";
import type { Ledger } from "./ledger.ts";
import type { DeployEntry, TreeView } from "./tree_view.ts";

/** What must hold when a deploy comes into a state. */
export class DeployRules {
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

  /** In the transaction that made it so. */
  became(deploy: DeployEntry): void {
    switch (deploy.record.state) {
      case "preparing":
      case "canary":
      case "rolling":
        return this.#underWay(deploy);
      case "done":
        return this.#done(deploy);
      case "rolling back":
        return this.#turnedRound(deploy);
      default:
        return;
    }
  }

  /** Whoever starts or promotes it has asked whether its build may go anywhere. */
  #underWay({ id, record }: DeployEntry): void {
    if (this.#tree.builds.get(record.build)?.barred === undefined) return;
    this.#ledger.broken("barred", `${id} is ${record.state}, and ${record.build} is barred`);
  }

  #done(deploy: DeployEntry): void {
    const { id, record } = deploy;
    const out = this.#tree.outBy(id);
    const failures = countedFailures(out, record.build, record.round);
    const holders = Object.keys(out.slots);
    if (failures.length > this.#allowances.budget(id, record))
      this.#ledger.broken("budget", `${id} is done, and ${failures.join(", ")} failed on ${record.build}`);
    if (holders.length > 0)
      this.#ledger.broken("final-state", `${id} is done, and ${holders.join(", ")} still hold its slots`);
    const served = [...this.#tree.statuses.values()].some(
      ({ step, build, wish }) => step === "serving" && build === record.build && wish?.deploy === id,
    );
    if (!served) this.#ledger.broken("true-done", `${id} is done, and nobody says that it serves ${record.build}`);
    this.#assertServed(deploy);
  }

  /** Everybody who says that it serves the build must really do so. */
  #assertServed(deploy: DeployEntry): void {
    for (const [host, status] of this.#tree.statuses) {
      const watch = this.#watches.get(host);
      if (watch === undefined || status.step !== "serving" || status.wish?.deploy !== deploy.id) continue;
      if (!this.#tree.alive.has(host) || status.build === null) continue;
      for (const { instance, serves } of watch.facts) {
        if (serves === null || serves.build === status.build) continue;
        const what = `instance ${instance} of ${host} runs ${serves.build}, and it says ${status.build}`;
        this.#ledger.broken("true-done", `${deploy.id} is done, but ${what}`);
      }
    }
  }

  /** The build that is taken back must not come again by somebody's mistake. */
  #turnedRound({ id, record }: DeployEntry): void {
    if (this.#tree.builds.get(record.build)?.barred !== undefined) return;
    this.#ledger.broken("barred", `${record.build} is taken back by ${id}, and can be deployed again`);
  }
}
