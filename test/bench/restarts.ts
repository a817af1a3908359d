import { AT_ONCE, atOnce } from "../restarts/pool.ts";
import { runVariant } from "../restarts/run_variant.ts";
import { nameOf, ROLLS, VARIANTS } from "../restarts/variants.ts";
import { judged, type Verdict } from "../restarts/verdict.ts";
import { rollByHand, WRONG_ROLLS } from "../restarts/wrong_rolls.ts";
import type { Bench, BenchRun } from "./figure.ts";
import { controlFigure, variantFigures } from "./restarts/figures.ts";
import { missingPrograms } from "./restarts/programs.ts";
import { rowsOf } from "./restarts/rows.ts";

const CONTROLS = "controls";

/** Failed requests while all copies of a service on a host are restarted, for each strategy, app and way to stop. */
export const restartsBench: Bench = {
  summary: "requests that fail while four copies of a service are restarted one after the other, by strategy",
  parts: [...new Set(VARIANTS.map(({ strategy }) => strategy)), CONTROLS],
  run: async (run) => {
    const missing = missingPrograms();
    if (missing !== null) return run.missing("everything", missing);
    await measureVariants(run);
    if (run.wants(CONTROLS)) await measureControls(run);
  },
};

async function measureVariants(run: BenchRun): Promise<void> {
  const rolls = Math.min(run.rounds, ROLLS);
  const wanted = VARIANTS.filter(({ strategy }) => run.wants(strategy));
  const verdicts = atOnce(AT_ONCE, wanted, async (variant) => {
    const verdict = judged(variant, await runVariant(variant, rolls));
    run.note(`${nameOf(variant)}: ${verdict.failed} of ${verdict.requests} requests failed`);
    return verdict;
  });
  const measured: { variant: (typeof wanted)[number]; verdict: Verdict }[] = [];
  for (const [number, variant] of wanted.entries()) {
    try {
      const verdict = await verdicts[number];
      if (verdict === undefined) continue;
      for (const blindSpot of verdict.blindSpots) run.missing(nameOf(variant), blindSpot);
      measured.push({ variant, verdict });
    } catch (error) {
      run.missing(nameOf(variant), error instanceof Error ? error.message : String(error));
    }
  }
  for (const { variant, verdict } of measured)
    for (const figure of variantFigures(variant, verdict)) run.figure(figure);
  if (measured.length > 0) run.note(`the table\n${rowsOf(measured)}`);
}

/** Wrong on purpose: what the load does not see here it would not see elsewhere. */
async function measureControls(run: BenchRun): Promise<void> {
  const reports = atOnce(AT_ONCE, WRONG_ROLLS, (control) => rollByHand(control));
  for (const [number, control] of WRONG_ROLLS.entries()) {
    try {
      const report = await reports[number];
      if (report !== undefined) run.figure(controlFigure(control, report));
    } catch (error) {
      run.missing(control.name, error instanceof Error ? error.message : String(error));
    }
  }
}
