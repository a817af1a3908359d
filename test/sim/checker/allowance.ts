import type { DeployRecord } from "../../../src/schema/deploy_record.ts";
import type { Amount } from "../../../src/schema/limits.ts";
import type { TreeView } from "./tree_view.ts";

/** How many hosts a percentage is of, in all and by zone. */
interface Counted {
  readonly all: number;
  readonly zones: ReadonlyMap<string, number>;
}

/** What the limits of each deploy come to, counted by the checker itself when its first slot is granted. */
export class Allowances {
  readonly #tree: TreeView;
  readonly #counted = new Map<string, Counted>();

  constructor(tree: TreeView) {
    this.#tree = tree;
  }

  /** The first time that it is asked fixes the number of hosts, whoever joins or leaves later. */
  granted(deploy: string): void {
    if (!this.#counted.has(deploy)) this.#counted.set(deploy, this.#count());
  }

  max(deploy: string, { limits }: DeployRecord): number {
    return Math.max(1, hostsOf(limits.max, this.#of(deploy).all));
  }

  budget(deploy: string, { limits }: DeployRecord): number {
    return hostsOf(limits.budget, this.#of(deploy).all);
  }

  /** Null where zones have no limit of their own. */
  perZone(deploy: string, { limits }: DeployRecord, zone: string): number | null {
    if (limits.maxPerZone === undefined) return null;
    return Math.max(1, hostsOf(limits.maxPerZone, this.#of(deploy).zones.get(zone) ?? 0));
  }

  #of(deploy: string): Counted {
    return this.#counted.get(deploy) ?? this.#count();
  }

  #count(): Counted {
    const all = [...this.#tree.hosts].filter(([, { hold }]) => hold?.stop !== true);
    const serving = all.filter(([host]) => (this.#tree.statuses.get(host)?.build ?? null) !== null);
    const hosts = serving.length > 0 ? serving : all;
    const zones = new Map<string, number>();
    for (const [, { zone = "" }] of hosts) zones.set(zone, (zones.get(zone) ?? 0) + 1);
    return { all: hosts.length, zones };
  }
}

function hostsOf(amount: Amount, base: number): number {
  if (typeof amount === "number") return amount;
  const [first = "", second] = amount.split(",");
  const percent = Math.floor((base * Number.parseFloat(second ?? first)) / 100);
  return second === undefined ? percent : Math.min(Number(first), percent);
}
