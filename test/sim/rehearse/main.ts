import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Company } from "./company.ts";
import { deathJobs } from "./deaths.ts";
import type { Job } from "./job.ts";
import type { Performance } from "./performance.ts";
import { huntPlanted } from "./planted.ts";
import { ONCE_BROKEN } from "./once_broken.ts";
import { play } from "./play.ts";
import { shrink } from "./shrink.ts";
import { Totals, totalsText } from "./totals.ts";

const usage = `npm run rehearse -- [--seed N] [--seeds FROM..TO] [--minutes M] [--deploys N] [--deaths] [--twice] [--planted [NAME]]

Plays whole fleets of the production code in one process, on virtual time, each under a seed, and holds them to what must
be so. Without a flag: the worlds that were once broken and as many others as make 2,000 deploys, and then every effect of
a scripted deploy as somebody's last.

  --seed N           play one world, tell its story, and shrink it where something is broken
  --seeds FROM..TO   these worlds
  --minutes M        worlds, from the first of --seeds on, for so many minutes
  --deploys N        as many worlds as make so many deploys, 2,000 unless given, and then every effect
  --deaths           only the scripted deploy with a death at every effect
  --twice            each of --seeds twice, in two processes, by the hash of their stories
  --planted [NAME]   find the bugs of test/sim/planted, or this one, each in a copy of this tree
`;

/** As many worlds as it takes for this many deploys. */
const DEPLOYS = 2_000;

const { values, positionals } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    minutes: { type: "string" },
    deploys: { type: "string", default: String(DEPLOYS) },
    deaths: { type: "boolean" },
    twice: { type: "boolean" },
    planted: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  },
  allowPositionals: true,
});

function print(...lines: string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}

process.exitCode = await main();

async function main(): Promise<number> {
  if (values.help === true || (positionals.length > 0 && values.planted !== true)) {
    print(usage);
    return 0;
  }
  if (values.seed !== undefined) return tell(values.seed);
  if (values.planted === true) return (await huntPlanted(print, positionals[0])) ? 0 : 1;
  const range = rangeOf(values.seeds);
  if (values.twice === true) return twice(range ?? { from: 1, to: 100 });
  const startedAt = performance.now();
  const totals = new Totals();
  // The same for all: it takes a while until the runtime plays at its full speed.
  await using company = new Company(availableParallelism());
  const failed = values.deaths === true ? [] : await seeds(company, totals, range);
  if (failed.length > 0 || range !== null || values.minutes !== undefined) {
    print(...totalsText(totals, performance.now() - startedAt));
    return conclude(totals, failed);
  }
  const wallMs = performance.now() - startedAt;
  if (values.deaths !== true) print(...totalsText(totals, wallMs), "");
  const dead = await deaths(company);
  return totals.brokenCount + dead === 0 ? conclude(totals, []) : 1;
}

function rangeOf(text: string | undefined): { from: number; to: number } | null {
  if (text === undefined) return null;
  const match = /^(\d+)\.\.(\d+)$/.exec(text);
  if (match === null) throw new Error(`--seeds takes two numbers, as in 1..100, not "${text}"`);
  return { from: Number(match[1]), to: Number(match[2]) };
}

async function seeds(
  company: Company,
  totals: Totals,
  range: { from: number; to: number } | null,
): Promise<Performance[]> {
  const minutes = values.minutes === undefined ? null : Number(values.minutes);
  const endsAt = minutes === null ? Number.POSITIVE_INFINITY : performance.now() + minutes * 60_000;
  let seed = (range?.from ?? 1) - 1;
  const again = range === null ? ONCE_BROKEN.map(([number]) => number) : [];
  const played = new Set(again);
  const next = (): Job | null => {
    const isOver =
      minutes !== null
        ? performance.now() > endsAt
        : range !== null
          ? seed >= range.to
          : totals.deploys >= Number(values.deploys);
    if (isOver) return null;
    const number = again.shift();
    if (number === undefined)
      do seed += 1;
      while (played.has(seed));
    return { kind: "seed", seed: String(number ?? seed), changes: {} };
  };
  const failed: Performance[] = [];
  for await (const { result } of company.perform(next)) {
    totals.add(result);
    if (result.violations.length === 0) continue;
    failed.push(result);
    const [first] = result.violations;
    print(`BROKEN in ${result.name}: ${first?.invariant}: ${first?.what}`);
  }
  return failed;
}

/** @returns how many were broken */
async function deaths(company: Company): Promise<number> {
  const { effects, jobs } = deathJobs();
  const left = [...jobs];
  let broken = 0;
  let struck = 0;
  const startedAt = performance.now();
  for await (const { job, result } of company.perform(() => left.shift() ?? null)) {
    if (job.kind === "deaths" && job.deaths.length === 1) struck += result.deaths;
    if (result.violations.length === 0) continue;
    broken += 1;
    const [first] = result.violations;
    print(`BROKEN by ${result.name}: ${first?.invariant}: ${first?.what}`);
  }
  print(
    `a scripted deploy: ${struck / 2} of ${effects} effects killed, each by kill -9 and by a power cut, and ` +
      `${jobs.length - 2 * effects} pairs, in ${((performance.now() - startedAt) / 1000).toFixed(0)} s; broken ${broken}`,
  );
  return broken;
}

/** Plays each seed in two processes and compares what they tell. */
async function twice({ from, to }: { from: number; to: number }): Promise<number> {
  const hashes = new Map<string, string>();
  for (const round of [1, 2]) {
    let seed = from - 1;
    await using company = new Company(availableParallelism());
    const next = (): Job | null => (seed >= to ? null : { kind: "seed", seed: String((seed += 1)), changes: {} });
    for await (const { result } of company.perform(next)) {
      const before = hashes.get(result.name);
      if (round === 1) hashes.set(result.name, result.hash);
      else if (before === result.hash) hashes.delete(result.name);
    }
  }
  const count = to - from + 1;
  for (const name of hashes.keys()) print(`NOT THE SAME: ${name}`);
  print(`${count - hashes.size} of ${count} seeds told the same story in two processes`);
  return hashes.size === 0 ? 0 : 1;
}

function tell(seed: string): number {
  const job = { kind: "seed", seed, changes: {} } as const;
  const result = play(job);
  print(...result.story, "", JSON.stringify(result.plan), `hash ${result.hash}`);
  if (result.violations.length === 0) {
    print(`nothing was broken: ${result.deploys} deploys, ${(result.virtualMs / 60_000).toFixed(0)} virtual minutes`);
    return 0;
  }
  print("", "shrinking …");
  const small = shrink(job, result);
  print(...small.result.story, "", JSON.stringify(small.job));
  return 1;
}

function conclude(totals: Totals, failed: readonly Performance[]): number {
  if (failed.length > 0) {
    print("", `Its story: npm run rehearse -- --seed ${(failed[0]?.name ?? "").replace("seed ", "")}`);
    return 1;
  }
  const isLong = totals.deploys >= DEPLOYS;
  if (isLong && totals.unreached.length > 0) {
    print(`never reached: ${totals.unreached.join("; ")}`);
    return 1;
  }
  return 0;
}
