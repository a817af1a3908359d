import { chanceOf } from "../chance.ts";
import { deathJobs } from "../rehearse/deaths.ts";
import type { Job } from "../rehearse/job.ts";
import type { Hint } from "./bug.ts";

/** How many worlds are played for one bug before it counts as not found, and how many deaths besides. */
export interface Allowance {
  readonly seeds: number;
  readonly deaths: number;
}

const ALLOWANCE: Allowance = { seeds: 150, deaths: 1_000 };

/** A scripted deploy is played in a fraction of the time that a world takes. */
const DEATHS_A_SEED = 8;
/** What a hint that speaks of deaths is good for, and one that speaks of worlds. */
const HINTED_DEATHS = 160;
const HINTED_WORLDS = 60;

/** Where to look for bugs, and in which order. */
export class Search {
  readonly #deaths: readonly Job[];
  readonly #allowance: Allowance;

  constructor(allowance: Allowance = ALLOWANCE) {
    this.#allowance = allowance;
    const chance = chanceOf("planted");
    // In any order but that of the effects: neighbours show the same.
    this.#deaths = deathJobs()
      .jobs.map((job) => ({ job, at: chance.random() }))
      .toSorted((a, b) => a.at - b.at)
      .slice(0, allowance.deaths)
      .map(({ job }) => job);
  }

  /** First where the hint says, then everywhere. */
  *jobs(hint: Hint | null): Generator<Job, null> {
    const hinted = hint?.kind === "deaths" ? HINTED_DEATHS : 0;
    if (hint?.kind === "seed") yield world(hint.seed);
    if (hint?.kind === "worlds") {
      if (hint.first !== null) yield { ...world(hint.first), changes: hint.changes };
      for (let seed = 1; seed <= HINTED_WORLDS; seed += 1) yield { ...world(String(seed)), changes: hint.changes };
    }
    yield* this.#deaths.slice(0, hinted);
    let next = hinted;
    for (let seed = 1; seed <= this.#allowance.seeds || next < this.#deaths.length; seed += 1) {
      if (seed <= this.#allowance.seeds) yield world(String(seed));
      yield* this.#deaths.slice(next, next + DEATHS_A_SEED);
      next += DEATHS_A_SEED;
    }
    return null;
  }
}

function world(seed: string): Extract<Job, { kind: "seed" }> {
  return { kind: "seed", seed, changes: {} };
}
