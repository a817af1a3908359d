import { buildWanted } from "../core/deploy_state.ts";
import { progressText } from "../view/deploy_words.ts";
import { serviceRows, type ServiceLook, type ServiceRow } from "../view/service_rows.ts";
import { duration } from "../view/times.ts";
import { count, oneLine } from "../view/words.ts";
import { toned, type Paint } from "../cli/paint.ts";
import type { StatusLook } from "./status_text.ts";
import { table } from "../cli/table.ts";

/** One line per service; services that need a person come first. */
export function allServicesLines(services: readonly ServiceLook[], { paint, now, columns }: StatusLook): string[] {
  const titles = ["", "SERVICE", "STATE", "BUILD", "FOR", "PROGRESS"].map((title) => paint.dim(title));
  const rows = serviceRows(services, now).map((row) => serviceCells(row, paint));
  return table([titles, ...rows], columns === undefined ? {} : { columns });
}

function serviceCells(row: ServiceRow, paint: Paint): string[] {
  const { glyph, word, tone } = row.sign;
  const [sign, state] = [toned(paint, tone, glyph), toned(paint, tone, word)];
  switch (row.kind) {
    case "trouble":
      return [sign, row.service, state, "-", "-", oneLine(row.problem)];
    case "nothing deployed":
      return [sign, row.service, state, "-", "-", count(row.hosts, "host")];
    case "deploy": {
      const { view, illness, stuckMs, waits } = row;
      const ill = illness === "" ? "" : paint.bad(`; ${illness}`);
      const stuck = stuckMs === null ? "" : paint.warn(`; nothing has moved for ${duration(stuckMs)}`);
      const waiting = waits === "" ? "" : paint.warn(`; ${waits}`);
      const build = buildWanted(view.record);
      return [
        sign,
        paint.bold(row.service),
        state,
        build,
        duration(row.ageMs),
        progressText(view) + ill + waiting + stuck,
      ];
    }
  }
}
