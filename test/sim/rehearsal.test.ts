import { describe, expect, test } from "bun:test";
import { deathJobs } from "./rehearse/deaths.ts";
import type { Job } from "./rehearse/job.ts";
import { play } from "./rehearse/play.ts";

/*
 * A taste of the rehearsal for every run of the tests. `npm run rehearse` plays a hundred times as much, and
 * `npm run rehearse -- --seed N` tells the story of one of these.
 */

const SEEDS = 4;
/** One death in so many of the scripted deploy. */
const SAMPLED = 40;

/** What was broken first, and in which of them; empty when all went well. */
function broken(jobs: readonly Job[]): string[] {
  return jobs.flatMap((job) => {
    const { name, violations } = play(job);
    return violations.slice(0, 1).map(({ invariant, what }) => `${name}: ${invariant}: ${what}`);
  });
}

function seed(number: number): Job {
  return { kind: "seed", seed: String(number), changes: {} };
}

describe("a fleet under faults", () => {
  const seeds = Array.from({ length: SEEDS }, (_, at) => at + 1);
  test.each(seeds)("breaks nothing in the world of seed %d", (number) => {
    expect(broken([seed(number)])).toEqual([]);
  });

  test("tells the same story to the letter when its seed is played again", () => {
    const jobs = [seed(1), seed(2)];
    const hashes = jobs.map((job) => play(job).hash);
    expect(new Set(hashes).size).toBe(jobs.length);
    expect(jobs.map((job) => play(job).hash)).toEqual(hashes);
  });
});

test("a deploy breaks nothing when an agent or a machine dies at any of its effects", () => {
  const { jobs } = deathJobs();
  expect(broken(jobs.filter((_, at) => at % SAMPLED === 0))).toEqual([]);
});
