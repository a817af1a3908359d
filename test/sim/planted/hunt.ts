import type { Violation } from "../checker/ledger.ts";
import { Company } from "../rehearse/company.ts";
import { nameOf, type Job } from "../rehearse/job.ts";
import type { Performance } from "../rehearse/performance.ts";
import type { PlantedBug } from "./bug.ts";
import { Search } from "./search.ts";
import { TreeCopy } from "./tree_copy.ts";

/** What became of the hunt for one bug. */
type Catch =
  | { readonly kind: "found"; readonly by: string; readonly broken: Violation }
  /** The code that it was made for is another one by now. */
  | { readonly kind: "does not apply" }
  | { readonly kind: "not found"; readonly played: number };

export interface Hunted {
  readonly bug: PlantedBug;
  readonly outcome: Catch;
  readonly seconds: number;
}

/** Hunts bugs side by side, in copies of this tree, in no order. */
export async function* hunt(
  bugs: readonly PlantedBug[],
  lanes: number,
  search: Search = new Search(),
): AsyncGenerator<Hunted> {
  const left = [...bugs];
  const busy = new Map<Lane, Promise<{ lane: Lane; hunted: Hunted }>>();
  await using stack = new AsyncDisposableStack();
  const give = (lane: Lane): void => {
    const bug = left.shift();
    if (bug !== undefined)
      busy.set(
        lane,
        lane.hunt(bug).then((hunted) => ({ lane, hunted })),
      );
  };
  for (let number = 1; number <= Math.min(lanes, bugs.length); number += 1) give(stack.use(new Lane(search)));
  while (busy.size > 0) {
    const { lane, hunted } = await Promise.race(busy.values());
    busy.delete(lane);
    give(lane);
    yield hunted;
  }
}

/** One processor's share of the hunt. */
class Lane implements AsyncDisposable {
  readonly #search: Search;
  /** Plays this tree as it is: what is broken here as well is not the bug's doing. */
  readonly #honest = new Company(1);
  #copy: TreeCopy | null = null;

  constructor(search: Search) {
    this.#search = search;
  }

  async hunt(bug: PlantedBug): Promise<Hunted> {
    const startedAt = performance.now();
    const outcome = await this.#catch(bug);
    return { bug, outcome, seconds: (performance.now() - startedAt) / 1000 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#honest[Symbol.asyncDispose]();
    await this.#copy?.[Symbol.asyncDispose]();
  }

  async #catch(bug: PlantedBug): Promise<Catch> {
    this.#copy ??= await TreeCopy.make();
    await using planted = await this.#copy.plant(bug);
    if (planted === null) return { kind: "does not apply" };
    await using company = new Company(1, this.#copy.worker);
    const jobs = this.#search.jobs(bug.hint);
    let played = 0;
    for await (const { job, result } of company.perform(() => jobs.next().value)) {
      played += 1;
      const [broken] = result.violations;
      if (broken === undefined || (await this.#isBrokenAnyway(job, result))) continue;
      return { kind: "found", by: nameOf(job), broken };
    }
    return { kind: "not found", played };
  }

  /** Whether the tree as it is breaks something in that world as well, up to where the bug showed. */
  async #isBrokenAnyway(job: Job, { isOver, virtualMs }: Performance): Promise<boolean> {
    const once: Job[] = [isOver ? job : { ...job, untilMs: virtualMs }];
    const results: Performance[] = [];
    for await (const { result } of this.#honest.perform(() => once.shift() ?? null)) results.push(result);
    return results.some(({ violations }) => violations.length > 0);
  }
}
