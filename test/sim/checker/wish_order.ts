import type { Wish } from "../../../src/schema/znodes.ts";
import type { Ledger } from "./ledger.ts";
import type { TreeView } from "./tree_view.ts";

interface Wished {
  readonly deploy: string;
  readonly build: string;
  readonly sinceMs: number;
}

/** What each host was wished to serve, in order, and that none goes back in it. */
export class WishOrder {
  readonly #ledger: Ledger;
  readonly #tree: TreeView;
  readonly #wished = new Map<string, Wished[]>();
  /** How far in its list a host has come, by its own numbers. */
  readonly #taken = new Map<string, { readonly at: number; readonly attempt: number }[]>();

  constructor(tree: TreeView, ledger: Ledger) {
    this.#tree = tree;
    this.#ledger = ledger;
  }

  /** After a transaction. */
  follow(nowMs: number): void {
    for (const host of this.#tree.hosts.keys()) {
      const wish = this.#tree.wishOf(host);
      if (wish?.deploy === undefined) continue;
      const list = this.#wished.get(host) ?? [];
      this.#wished.set(host, list);
      if (!isSame(list.at(-1), wish)) list.push({ deploy: wish.deploy, build: wish.build, sinceMs: nowMs });
    }
  }

  /** What the host should be at by now, and since when; null while its wish names no deploy that it could follow. */
  newest(host: string): Wished | null {
    if (this.#tree.wishOf(host)?.deploy === undefined) return null;
    return this.#wished.get(host)?.at(-1) ?? null;
  }

  /** A power cut may take back a number that nobody has heard of, and what it stood for. */
  lostPower(host: string): void {
    const told = this.#tree.statuses.get(host)?.attempt ?? -1;
    this.#taken.set(
      host,
      (this.#taken.get(host) ?? []).filter(({ attempt }) => attempt <= told),
    );
  }

  /** A host has numbered a wish. */
  tookUp(host: string, { number, deploy, build }: { number: number; deploy: string; build: string }): void {
    const taken = this.#taken.get(host) ?? [];
    this.#taken.set(host, taken);
    const before = taken.at(-1);
    if (before?.attempt === number) return;
    if (before !== undefined && number < before.attempt) {
      this.#ledger.broken("attempts", `${host} counts ${number} after ${before.attempt}`);
    }
    const list = this.#wished.get(host) ?? [];
    const at = list.findLastIndex((wished) => wished.deploy === deploy && wished.build === build);
    if (at === -1) {
      this.#ledger.broken("older-wish", `${host} takes up ${build} of ${deploy}, which it was never wished`);
    } else if (before !== undefined && at < before.at) {
      const newer = list[before.at];
      this.#ledger.broken(
        "older-wish",
        `${host} takes up ${build} of ${deploy} after ${newer?.build} of ${newer?.deploy}`,
      );
    }
    taken.push({ at: Math.max(at, before?.at ?? -1), attempt: number });
  }
}

function isSame(a: Wished | undefined, b: Pick<Wish, "build" | "deploy">): boolean {
  return a !== undefined && a.deploy === b.deploy && a.build === b.build;
}
