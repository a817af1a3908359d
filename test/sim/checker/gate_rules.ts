import { countedFailures, failuresOf, outOfService } from "../../../src/core/gate.ts";
import type { Gate, Slot } from "../../../src/schema/znodes.ts";
import type { HostWatch } from "./host_watch.ts";
import type { Ledger } from "./ledger.ts";
import type { DeployEntry, TreeView } from "./tree_view.ts";

/** What a transaction changed about the gates, told by who was there before. */
export interface GateMove {
  readonly deploy: DeployEntry;
  readonly before: Gate;
  /** The host whose session made the transaction; null where it was no agent's. */
  readonly author: string | null;
}

/** Who was out of service by it, and is not any more. */
export function freedBy({ deploy, before }: GateMove): string[] {
  const still = new Set(outOfService(deploy.gate));
  return outOfService(before).filter((host) => !still.has(host));
}

/** What must hold of slots and failures, transaction by transaction. */
export class GateRules {
  readonly #tree: TreeView;
  readonly #watches: ReadonlyMap<string, HostWatch>;
  readonly #ledger: Ledger;

  constructor(tree: TreeView, watches: ReadonlyMap<string, HostWatch>, ledger: Ledger) {
    this.#tree = tree;
    this.#watches = watches;
    this.#ledger = ledger;
  }

  moved(move: GateMove): void {
    const { before, deploy } = move;
    for (const [host, slot] of Object.entries(deploy.gate.slots)) {
      const held = before.slots[host];
      if (held === undefined || held.attempt !== slot.attempt) this.#granted(move, host, slot);
    }
    for (const [host, slot] of Object.entries(before.slots)) {
      if (deploy.gate.slots[host] === undefined) this.#gone(move, host, slot);
    }
    const [failed, failedBefore] = [deploy.gate, before].map(({ failed }) => Object.keys(failed).length);
    if (failed !== failedBefore) this.#failed(deploy);
  }

  #granted({ deploy, before }: GateMove, host: string, slot: Slot): void {
    const { record, id } = deploy;
    const { max, budget } = record.limits;
    const others = [...this.#tree.deploys.values()].map((each) => (each.id === id ? before : each.gate));
    const slots = new Set([...others.flatMap(({ slots }) => Object.keys(slots)), host]);
    const out = new Set([...slots, ...others.flatMap(outOfService).filter((name) => this.#tree.hosts.has(name))]);
    const status = this.#tree.statuses.get(host);
    const wasOut =
      status?.health === "nothing" ||
      status?.health === "unhealthy" ||
      others.some((gate) => gate.failed[host]?.healthy === false);
    const counted = wasOut ? slots : out;
    if (counted.size > max) {
      this.#ledger.broken(
        "slots-within-max",
        `${host} was granted a slot of ${id}: ${[...counted].join(", ")} are more than ${max}`,
      );
    }
    if (counted.size === max) this.#ledger.reached("the last slot of max granted");
    if (record.state === "halted" || record.state === "aborted") {
      this.#ledger.broken("budget", `${host} was granted a slot of ${id}, which is ${record.state}`);
    }
    const build = slot.build ?? record.build;
    const failures = countedFailures(before, build);
    if (failures.length > budget) {
      this.#ledger.broken(
        "budget",
        `${host} was granted a slot of ${id} after ${failures.join(", ")} failed on ${build}`,
      );
    }
  }

  #gone({ deploy, author }: GateMove, host: string, slot: Slot): void {
    if (author === host) this.#assertOver(deploy.id, host, slot);
    const failure = deploy.gate.failed[host];
    if (failure !== undefined && !failure.healthy) {
      if (failure.reason.startsWith("lost")) this.#ledger.reached("a holder was lost");
      return;
    }
    if (author === host || author === null) return;
    const attempt = this.#tree.statuses.get(host)?.attempt ?? -1;
    if (attempt > slot.attempt) {
      this.#ledger.reached("a slot taken back that was not used");
      return;
    }
    if (failure !== undefined) return;
    this.#ledger.broken(
      "dead-holder",
      `${author} took the slot of ${host} in ${deploy.id}, whose attempt is ${attempt}`,
    );
  }

  /** Whoever has given its slot back must not come to doubt the build again, or still be on the way. */
  #assertOver(deploy: string, host: string, slot: Slot): void {
    const activation = this.#watches.get(host)?.journal?.activation ?? null;
    if (activation?.deploy !== deploy || activation.attempt !== slot.attempt || activation.phase.kind === "proven")
      return;
    const what = `its journal says that it is on the way ${activation.phase.kind}`;
    this.#ledger.broken("write-ahead", `${host} gives back its slot of ${deploy}, and ${what}`);
  }

  #failed({ gate, record }: DeployEntry): void {
    const failures = failuresOf(gate, record.build).length;
    if (failures === record.limits.budget) this.#ledger.reached("the budget used up, not exceeded");
    if (failures === record.limits.budget + 1) this.#ledger.reached("a deploy halted past its budget");
  }
}
