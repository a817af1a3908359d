import { AT_ONCE, atOnce } from "../under_load/pool.ts";
import { runVariant } from "../under_load/run_variant.ts";
import { nameOf, ROLLS, VARIANTS, type Variant } from "../under_load/variants.ts";
import { judged } from "../under_load/verdict.ts";
import { rollByHand, WRONG_ROLLS } from "../under_load/wrong_rolls.ts";
import type { Bench, BenchRun } from "./figure.ts";
import { controlFigure, variantFigures } from "./restarts/figures.ts";
import { missingPrograms } from "./restarts/programs.ts";
import { tableOf, type Row } from "./restarts/rows.ts";

const CONTROLS = "controls";

/** Failed requests while all copies of a service on a host are restarted, for each strategy, app and way to stop. */
export const restartsBench: Bench = {
  summary: "requests that fail while four copies of a service are restarted one after the other, by strategy",
  parts: [...new Set(VARIANTS.map(({ strategy }) => strategy)), CONTROLS],
  run: async (run) => {
    const missing = missingPrograms();
    if (missing !== null) return run.missing("everything", missing);
    const wanted = VARIANTS.filter(({ strategy }) => run.wants(strategy));
    // What has to be done in some time is measured alone; the rest only has to be done well.
    const isTimed = ({ expects }: Variant): boolean => expects.rollMs !== undefined;
    const timed = await measureVariants(run, 1, wanted.filter(isTimed));
    const others = wanted.filter((variant) => !isTimed(variant));
    const rows = [...timed, ...(await measureVariants(run, AT_ONCE, others))];
    if (rows.length > 0) run.note(`the table\n${tableOf(rows)}`);
    if (run.wants(CONTROLS)) await measureControls(run);
  },
};

async function measureVariants(run: BenchRun, limit: number, variants: readonly Variant[]): Promise<Row[]> {
  const rolls = Math.min(run.rounds, ROLLS);
  const measured = atOnce(limit, variants, async (variant): Promise<Row> => {
    const verdict = judged(variant, await runVariant(variant, rolls));
    run.note(`${nameOf(variant)}: ${verdict.failed} of ${verdict.requests} requests failed`);
    return { variant, verdict };
  });
  const rows: Row[] = [];
  for (const [number, variant] of variants.entries()) {
    const row = await orMissing(run, nameOf(variant), measured[number]);
    if (row === null) continue;
    rows.push(row);
    for (const blindSpot of row.verdict.blindSpots) run.missing(nameOf(variant), blindSpot);
    for (const figure of variantFigures(variant, row.verdict)) run.figure(figure);
  }
  return rows;
}

/** Wrong on purpose: what the load does not see here it would not see elsewhere. */
async function measureControls(run: BenchRun): Promise<void> {
  const reports = atOnce(AT_ONCE, WRONG_ROLLS, (control) => rollByHand(control));
  for (const [number, control] of WRONG_ROLLS.entries()) {
    const report = await orMissing(run, control.name, reports[number]);
    if (report !== null) run.figure(controlFigure(control, report));
  }
}

async function orMissing<T>(run: BenchRun, name: string, work: Promise<T> | undefined): Promise<T | null> {
  try {
    return (await work) ?? null;
  } catch (error) {
    run.missing(name, error instanceof Error ? error.message : String(error));
    return null;
  }
}
