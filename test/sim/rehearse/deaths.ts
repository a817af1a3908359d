import { chanceOf } from "../chance.ts";
import type { Job, PlannedDeath } from "./job.ts";
import { play } from "./play.ts";

/** How many pairs of deaths are drawn besides. */
const PAIRS = 200;

const WHENS = ["before", "halfway", "after"] as const;

/** Every effect of the scripted deploy as the last one of its agent, and of its machine; and pairs of them. */
export function deathJobs(pairs = PAIRS): { readonly effects: number; readonly jobs: readonly Job[] } {
  const { effects } = play({ kind: "deaths", deaths: [] });
  const chance = chanceOf("deaths");
  const all = Object.entries(effects).flatMap(([host, count]) =>
    Array.from({ length: count }, (_, at) => at + 1).flatMap((effect) =>
      (["kill", "power-cut"] as const).map((how): PlannedDeath => ({ host, effect, how, when: chance.pick(WHENS) })),
    ),
  );
  const singles = all.map((death): Job => ({ kind: "deaths", deaths: [death] }));
  const drawn = Array.from({ length: pairs }, (): Job => ({
    kind: "deaths",
    deaths: [chance.pick(all), chance.pick(all)],
  }));
  return { effects: all.length / 2, jobs: [...singles, ...drawn] };
}
