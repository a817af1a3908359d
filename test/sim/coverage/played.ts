import { expect, test } from "bun:test";
import { deathJobs } from "../rehearse/deaths.ts";
import { play } from "../rehearse/play.ts";
import { ROOMS } from "./reached.ts";

/*
 * What is played to see which lines of production code a rehearsal reaches. Bun counts lines under `bun test` alone, so this
 * is a test; its name keeps it out of an ordinary run. `npm run bench -- rehearsal --only coverage` runs it and adds up.
 */

const WORLDS = 150;
/** One death in so many of the scripted deploy. */
const SAMPLED = 10;

test("worlds and deaths are played", async () => {
  // A file that nobody imports has lines as well, and none of them is reached.
  for (const room of ROOMS) {
    for (const file of new Bun.Glob(`src/${room}/*.ts`).scanSync(".")) await import(`${process.cwd()}/${file}`);
  }
  const seeds = Array.from({ length: WORLDS }, (_, at) => play({ kind: "seed", seed: String(at + 1), changes: {} }));
  const deaths = deathJobs().jobs.filter((_, at) => at % SAMPLED === 0);
  const broken = [...seeds, ...deaths.map((job) => play(job))].filter(({ violations }) => violations.length > 0);
  expect(broken.map(({ name }) => name)).toEqual([]);
}, 600_000);
