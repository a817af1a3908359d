import { serverNow } from "./server_clock.ts";
import { buildWanted, isRunning } from "../core/deploy_state.ts";
import type { Overview } from "../store/overview.ts";
import { newestDeploy, stuckForMs } from "./deploy_model.ts";
import { progressText, stateText } from "./deploy_text.ts";
import { illnessText, illRows, isIllSince, type HostRow } from "./host_model.ts";
import type { StatusLook } from "./status_text.ts";
import { table } from "./table.ts";
import { count, oneLine } from "./text.ts";
import { ageMs, duration } from "./times.ts";

/** What `status` without a service knows of one; a service whose records cannot be read is shown, not hidden. */
export type ServiceLine =
  { readonly service: string; readonly overview: Overview } | { readonly service: string; readonly problem: string };

/** One line per service, those that need a person first. */
export function allServicesLines(services: readonly ServiceLine[], look: StatusLook): string[] {
  const { paint } = look;
  const rows = services
    .map((line) => {
      const now = "problem" in line ? look.now : serverNow(line.overview, look.now);
      return { line, now, urgency: urgencyOf(line, now) };
    })
    .toSorted((a, b) => a.urgency - b.urgency || (a.line.service < b.line.service ? -1 : 1))
    .map(({ line, now }) => serviceCells(line, { ...look, now }));
  return table(
    [["", "SERVICE", "STATE", "BUILD", "FOR", "PROGRESS"].map((title) => paint.dim(title)), ...rows],
    look.columns === undefined ? {} : { columns: look.columns },
  );
}

function urgencyOf(line: ServiceLine, now: Date): number {
  if ("problem" in line || line.overview.wishTrouble !== undefined) return 0;
  const view = newestDeploy(line.overview);
  if (view === null) return 8;
  const { record } = view;
  if (record.state === "halted") return 1;
  if (illRows(line.overview).length > 0) return 2;
  if (stuckForMs(view, now) !== null) return 3;
  if (record.state === "awaiting promotion") return 4;
  if (isRunning(record)) return 5;
  return (view.live?.progress.unreachable.length ?? 0) > 0 ? 6 : 7;
}

function serviceCells(line: ServiceLine, { paint, now }: StatusLook): string[] {
  if ("problem" in line)
    return [paint.bad("✗"), line.service, paint.bad("unreadable"), "-", "-", oneLine(line.problem)];
  const { wishTrouble } = line.overview;
  if (wishTrouble !== undefined)
    return [paint.bad("✗"), line.service, paint.bad(wishTrouble.word), "-", "-", oneLine(wishTrouble.problem)];
  const view = newestDeploy(line.overview);
  if (view === null) return ["·", line.service, "nothing deployed", "-", "-", count(line.overview.hosts.size, "host")];
  const { record } = view;
  const ill = illRows(line.overview);
  const { glyph, word } = isIllSince(record, ill)
    ? { glyph: paint.bad("✗"), word: paint.bad("unhealthy") }
    : stateText(record, paint);
  const illness = ill.length === 0 ? "" : paint.bad(`; ${illText(ill, now)}`);
  const stuckMs = stuckForMs(view, now);
  const stuck = stuckMs === null ? "" : paint.warn(`; nothing has moved for ${duration(stuckMs)}`);
  const age = duration(ageMs(record.times.changed, now));
  return [glyph, paint.bold(line.service), word, buildWanted(record), age, progressText(view) + illness + stuck];
}

/** "web-02 unhealthy for 40s: its check failed: connection refused, and 3 more" */
function illText([first, ...others]: readonly HostRow[], now: Date): string {
  if (first === undefined) return "";
  const more = others.length === 0 ? "" : `, and ${count(others.length, "more host")}`;
  return `${oneLine(first.host)} ${illnessText(first.status, now)}${more}`;
}
