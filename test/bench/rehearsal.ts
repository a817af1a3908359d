import { mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { reachedIn, ROOMS } from "../sim/coverage/reached.ts";
import { Company } from "../sim/rehearse/company.ts";
import { deathJobs } from "../sim/rehearse/deaths.ts";
import type { Job } from "../sim/rehearse/job.ts";
import { Totals } from "../sim/rehearse/totals.ts";
import type { Bench, BenchRun } from "./figure.ts";

const DEPLOYS = 2_000;
const PLANTED = 20;
const VIRTUAL_PER_REAL = 200;
const COVERAGE = 0.9;

/** What the rehearsal of test/sim comes to: how much it plays, how fast, and whether it sees. */
export const rehearsalBench: Bench = {
  summary: "whole fleets of the production code under a seed and faults: how much of it, how fast, and what it finds",
  parts: ["worlds", "deaths", "planted", "coverage"],
  run: async (run) => {
    if (run.wants("worlds")) await measureWorlds(run);
    if (run.wants("deaths")) await measureDeaths(run);
    if (run.wants("planted")) await measurePlanted(run);
    if (run.wants("coverage")) await measureCoverage(run);
  },
};

async function measureWorlds(run: BenchRun): Promise<void> {
  const totals = new Totals();
  const startedAt = performance.now();
  let seed = 0;
  const next = (): Job | null =>
    totals.deploys >= DEPLOYS ? null : { kind: "seed", seed: String((seed += 1)), changes: {} };
  await using company = new Company(availableParallelism());
  for await (const { result } of company.perform(next)) totals.add(result);
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const { deploys, brokenCount, broken, edges, faults, virtualMs, seeds, unreached } = totals;
  run.figure({
    name: "deploys",
    value: deploys,
    unit: "count",
    limit: DEPLOYS,
    goal: "at least",
    detail: { seeds, seconds, virtualHours: virtualMs / 3_600_000, faults: Object.fromEntries(faults) },
  });
  run.figure({
    name: "broken",
    value: brokenCount,
    unit: "count",
    limit: 0,
    goal: "at most",
    detail: { seeds: Object.fromEntries(broken) },
  });
  run.figure({
    name: "faults-per-deploy",
    value: totals.faultsPerDeploy,
    unit: "ratio",
    limit: 3,
    goal: "at least",
    detail: { between: "the first grant and the last release" },
  });
  run.figure({
    name: "edges-unreached",
    value: unreached.length,
    unit: "count",
    limit: 0,
    goal: "at most",
    detail: Object.fromEntries(edges),
  });
  run.figure({
    name: "virtual-per-real",
    value: virtualMs / 1000 / Math.max(1, seconds),
    unit: "ratio",
    limit: VIRTUAL_PER_REAL,
    goal: "at least",
    detail: { processors: availableParallelism() },
  });
}

async function measureDeaths(run: BenchRun): Promise<void> {
  const { effects, jobs } = deathJobs();
  const left = [...jobs];
  const singles = { struck: 0, broken: 0 };
  const pairs = { played: 0, broken: 0 };
  await using company = new Company(availableParallelism());
  for await (const { job, result } of company.perform(() => left.shift() ?? null)) {
    const broken = result.violations.length > 0 ? 1 : 0;
    if (job.kind === "deaths" && job.deaths.length === 1) {
      singles.struck += result.deaths;
      singles.broken += broken;
    } else {
      pairs.played += 1;
      pairs.broken += broken;
    }
  }
  // Each effect twice: by kill -9 and by a power cut.
  run.figure({
    name: "effects-killed",
    value: singles.struck / (2 * effects),
    unit: "ratio",
    limit: 1,
    goal: "at least",
    detail: { effects, pairs: pairs.played },
  });
  run.figure({
    name: "broken-by-deaths",
    value: singles.broken + pairs.broken,
    unit: "count",
    limit: 0,
    goal: "at most",
    detail: { singles: singles.broken, pairs: pairs.broken },
  });
}

async function measurePlanted(run: BenchRun): Promise<void> {
  const startedAt = performance.now();
  const said = await outputOf([join(import.meta.dir, "../sim/rehearse/main.ts"), "--planted"]);
  const lines = said.trim().split("\n");
  const found = /(\d+) of (\d+) planted bugs found/.exec(lines.at(-1) ?? "");
  if (found === null) {
    return run.missing("planted-found", `The hunt ended with: ${lines.slice(-3).join(" / ")}`);
  }
  run.figure({
    name: "planted-found",
    value: Number(found[1]),
    unit: "count",
    limit: Math.max(PLANTED, Number(found[2])),
    goal: "at least",
    detail: { seconds: Math.round((performance.now() - startedAt) / 1000), bugs: lines.slice(0, -1) },
  });
}

async function measureCoverage(run: BenchRun): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "deployd-coverage-"));
  try {
    const said = await outputOf([
      "test",
      "--coverage",
      "--coverage-reporter=lcov",
      `--coverage-dir=${directory}`,
      "./test/sim/coverage/played.ts",
    ]);
    const lcov = await readFile(join(directory, "lcov.info"), "utf8").catch(() => null);
    if (lcov === null) return run.missing("coverage", `bun test said: ${said.slice(-500)}`);
    const rooms = reachedIn(lcov);
    const all = ROOMS.map((room) => rooms[room]);
    const sum = (of: "reached" | "lines"): number => all.reduce((total, room) => total + room[of], 0);
    run.figure({
      name: "coverage",
      value: sum("reached") / Math.max(1, sum("lines")),
      unit: "ratio",
      limit: COVERAGE,
      goal: "at least",
      detail: Object.fromEntries(ROOMS.map((room) => [room, `${rooms[room].reached} of ${rooms[room].lines} lines`])),
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** All that a program of this repository says, as one text. */
async function outputOf(argv: readonly string[]): Promise<string> {
  const cwd = join(import.meta.dir, "../..");
  const child = Bun.spawn([process.execPath, ...argv], { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  await child.exited;
  return out.trim() === "" ? err : out;
}
