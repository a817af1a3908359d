import { join } from "node:path";
import { parseArgs } from "node:util";
import { isInside, runInside } from "./isolation.ts";
import { nemesisRun } from "./run.ts";
import { VIOLATED, withBug } from "./planted.ts";

/*
 * npm run soak -- [--runs N] [--seconds S] [--seed N] [--agents N] [--planted NAME]: a nemesis on a fleet of the compiled
 * binary (README.md). Exits with 0 where every run keeps all that must hold, with 2 where one does not; with --planted the other way round.
 */

const HISTORY = join(import.meta.dir, "../../dist/nemesis");
const LAST_LINES = 60;

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "1" },
    seconds: { type: "string", default: "60" },
    seed: { type: "string" },
    agents: { type: "string", default: "20" },
    servers: { type: "string", default: "3" },
    planted: { type: "string" },
  },
});
const [runs, seconds, agents, servers] = [values.runs, values.seconds, values.agents, values.servers].map(Number);
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);

if (isInside()) process.exit(await playAll());
const args = ["--seed", String(seed), ...process.argv.slice(2).filter((_, at, all) => !isSeed(all, at))];
if (values.planted === undefined) process.exit(await runInside(import.meta.path, args));
process.exit(await withBug(values.planted, () => runInside(import.meta.path, args)));

function isSeed(all: readonly string[], at: number): boolean {
  return all[at] === "--seed" || all[at - 1] === "--seed";
}

async function playAll(): Promise<number> {
  let violated = 0;
  for (let number = 0; number < (runs ?? 1); number += 1) {
    const violations = await playOne(seed + number);
    if (violations > 0) violated += 1;
    if (violated > 0 && values.planted !== undefined) break;
  }
  say(`${runs} runs of ${seconds} s, ${violated} with violations`);
  return violated > 0 ? VIOLATED : 0;
}

async function playOne(seedOfRun: number): Promise<number> {
  const startedAt = performance.now();
  const result = await nemesisRun({
    seed: seedOfRun,
    seconds: seconds ?? 60,
    agents: agents ?? 20,
    servers: servers ?? 3,
  });
  const { violations, chronicle, faults, facts } = result;
  const path = join(HISTORY, `${values.planted ?? "run"}-${seedOfRun}.log`);
  await chronicle.write(path);
  const took = Math.round((performance.now() - startedAt) / 1000);
  const broken = [...faults].map(([name, count]) => `${name} ${count}`).join(", ");
  const counted = Object.entries(facts).map(([name, value]) => `${name} ${value}`);
  say(`seed ${seedOfRun}: ${violations.length} violations in ${took} s; ${counted.join(", ")}; ${broken}`);
  for (const { invariant, what } of violations) say(`  ${invariant}: ${what}`);
  const [first] = violations;
  if (first !== undefined) {
    say(`The last ${LAST_LINES} lines before it, of ${path}:`);
    for (const line of chronicle.last(LAST_LINES, first.atMs)) say(line);
  }
  return violations.length;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
