import { play } from "./play.ts";
import type { Job } from "./job.ts";
import type { Performance } from "./performance.ts";
import { HeardSignals } from "./signals.ts";

/*
 * Plays what it is told, one after the other, in a process of its own: each line of its input is a job, each line of its
 * output what that came to.
 */

/** Failures that nobody waited for. In production they end the agent. */
const unheard: string[] = [];
process.on("unhandledRejection", (reason) => unheard.push(String(reason)));

const signals = new HeardSignals();

for await (const line of console) {
  const result = withUnheard(play(JSON.parse(line) as Job), await heardOf());
  signals.letGo();
  // The story of one that went well is long, and nobody reads it.
  const told = result.violations.length === 0 ? { ...result, story: [] } : result;
  process.stdout.write(`${JSON.stringify(told)}\n`);
}

/** The runtime tells of them once nothing else is to be done. */
async function heardOf(): Promise<string[]> {
  await Bun.sleep(0);
  return unheard.splice(0);
}

function withUnheard(result: Performance, reasons: readonly string[]): Performance {
  const { virtualMs: atMs } = result;
  const mistakes = reasons.map(
    (what) => ({ invariant: "no-mistake", atMs, what: `nobody waited for: ${what}` }) as const,
  );
  return { ...result, violations: [...result.violations, ...mistakes] };
}
