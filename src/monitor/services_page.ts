import { progressText } from "../view/deploy_words.ts";
import { span, strong, type Span } from "../view/spans.ts";
import { serviceRows, type ServiceRow } from "../view/service_rows.ts";
import { duration } from "../view/times.ts";
import { oneLine } from "../view/words.ts";
import type { Cells } from "./cells.ts";
import { widest } from "./lines.ts";
import type { Model } from "./model.ts";
import { numberedServices } from "./update.ts";

/** A line for each service; those that need a person come first. */
export function drawServices(cells: Cells, model: Model, top: number, rows: number): void {
  const all = serviceRows(model.services, new Date(model.nowMs));
  if (all.length === 0) {
    const text =
      model.link.kind === "fresh"
        ? "No services yet. Make one with: deployd ctl services set NAME"
        : "connecting to ZooKeeper …";
    cells.write(0, top, [span(text, "dim")]);
    return;
  }
  const numbers = numberedServices(model);
  const at = Math.max(
    0,
    all.findIndex(({ service }) => service === model.selected),
  );
  const from = Math.max(0, Math.min(at - Math.floor(rows / 2), all.length - rows));
  const width = Math.min(24, widest(all.map(({ service }) => service)));
  for (const [index, row] of all.slice(from, from + rows).entries()) {
    const number = numbers.indexOf(row.service) + 1;
    const { glyph, tone } = row.sign;
    cells.write(0, top + index, [span(number <= 9 ? `${number} ` : "  ", "dim"), span(glyph, tone)]);
    cells.write(4, top + index, [strong(oneLine(row.service))], width);
    cells.write(6 + width, top + index, words(row));
    if (row.service === model.selected) cells.invert(top + index);
  }
}

function words(row: ServiceRow): Span[] {
  const { word, tone } = row.sign;
  switch (row.kind) {
    case "trouble":
      return [span(word, tone), span(`  ${oneLine(row.problem)}`, "bad")];
    case "nothing deployed":
      return [span(word, "dim")];
    case "deploy": {
      const { view, ageMs, stuckMs, illness, waits } = row;
      return [
        span(`${view.record.build} `),
        span(word, tone),
        span(` for ${duration(ageMs)}`, "dim"),
        ...(stuckMs === null ? [] : [strong(`  STUCK for ${duration(stuckMs)}`, "bad")]),
        ...(illness === "" ? [] : [span(`  ${illness}`, "bad")]),
        ...(waits === "" ? [] : [span(`  ${oneLine(waits)}`, "warn")]),
        span(`  ${progressText(view)}`),
      ];
    }
  }
}
