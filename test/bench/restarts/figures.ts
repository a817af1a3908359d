import type { LoadReport } from "../../under_load/load.ts";
import { nameOf, type Variant } from "../../under_load/variants.ts";
import type { Verdict } from "../../under_load/verdict.ts";
import type { HandRoll } from "../../under_load/wrong_rolls.ts";
import type { Figure } from "../figure.ts";
import { median } from "../statistics.ts";

/** What was measured of a variant; only what was asked for has a limit. */
export function variantFigures(variant: Variant, verdict: Verdict): Figure[] {
  const { expects, clients } = variant;
  const name = nameOf(variant);
  const count = (what: string, value: number, limit: number | null, detail: Figure["detail"] = {}): Figure => ({
    name: `${name}-${what}`,
    value,
    unit: "count",
    limit,
    goal: "at most",
    detail,
  });
  const figures = [count("failed", verdict.failed, expects.failed ?? null, detailOf(verdict))];
  for (const each of expects.none ?? []) figures.push(count(each, verdict.classes[each], 0));
  if (expects.late !== undefined) figures.push(count("late", verdict.late, expects.late));
  if (expects.rollMs !== undefined) {
    figures.push({
      name: `${name}-roll`,
      value: median(verdict.rollMs),
      unit: "ms",
      limit: expects.rollMs,
      goal: "at most",
      detail: { rollMs: verdict.rollMs },
    });
  }
  if (clients === "webSocket") {
    figures.push(count("websockets-closed-early", verdict.webSockets.early, 0, verdict.webSockets));
  }
  if (expects.tellsClosed === true) {
    const untold = Math.max(0, verdict.classes.stale - (verdict.closed ?? 0));
    figures.push(count("closed-untold", untold, 0, { closed: verdict.closed, stale: verdict.classes.stale }));
  }
  if (expects.fails === true) figures.push(count("unseen", verdict.failed > 0 ? 0 : 1, 0));
  return figures;
}

function detailOf(verdict: Verdict): Figure["detail"] {
  const { requests, failed, late, classes, rollMs, closed, refusedByTraffic, lagMs } = verdict;
  return { requests, ok: requests - failed, ...classes, late, rollMs, closed, refusedByTraffic, loadLagMs: lagMs };
}

/** 1 when the load did not see a restart that was wrong. */
export function controlFigure({ name, shows }: HandRoll, { http }: LoadReport): Figure {
  const seen = shows === null ? 1 : http.classes[shows];
  return {
    name: `control-${name}-unseen`,
    value: seen > 0 ? 0 : 1,
    unit: "count",
    limit: 0,
    goal: "at most",
    detail: { requests: http.requests, failed: http.failed, ...http.classes, looksFor: shows },
  };
}
