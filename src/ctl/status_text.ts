import { buildWanted, reasonOf } from "../core/deploy_state.ts";
import type { Overview } from "../store/overview.ts";
import { failuresIn, newestDeploy, stuckForMs, waitingFor, type DeployView } from "./deploy_model.ts";
import { costText, failureLines, nextSteps, progressText, stateText, waitingText } from "./deploy_text.ts";
import {
  hostGlyph,
  hostRows,
  illnessText,
  illRows,
  isIllSince,
  paintHost,
  stepText,
  type HostRow,
} from "./host_model.ts";
import type { Paint } from "./paint.ts";
import { table } from "./table.ts";
import { clip, count, oneLine, wrap } from "./text.ts";
import { ageMs, dateTime, duration } from "./times.ts";

export interface StatusLook {
  readonly paint: Paint;
  readonly now: Date;
  /** Of the terminal; endless unless given. */
  readonly columns?: number;
  /** Rows for all of it; hosts that do not fit are counted. Endless unless given. */
  readonly rows?: number;
}

/** One service for people: what moves, what is stuck and what failed first, the hosts after that. */
export function statusLines(overview: Overview, look: StatusLook): string[] {
  const view = newestDeploy(overview);
  const head = [
    ...headline(overview, view, look),
    ...failures(view, look),
    ...illnesses(overview, view, look),
    // What to do stands at their end, so they are never cut.
    ...overview.problems.flatMap((problem) =>
      wrap(`! ${oneLine(problem)}`, look.columns ?? Infinity, "  ").map((line) => look.paint.warn(line)),
    ),
    "",
    ...wishes(overview, look),
    ...(view === null ? [] : deployFacts(view, look)),
    "",
  ];
  const fit = (line: string): string => (look.columns === undefined ? line : clip(line, look.columns));
  const room = look.rows === undefined ? Infinity : Math.max(3, look.rows - head.length - 1);
  const lines = [...head.map(fit), ...hostTable(hostRows(overview), room, look)];
  // A picture that is higher than its terminal scrolls its own first line away.
  if (look.rows === undefined || lines.length <= look.rows) return lines;
  const shown = lines.slice(0, Math.max(1, look.rows - 1));
  return [...shown, look.paint.dim(fit(`  and ${count(lines.length - shown.length, "more line")}`))];
}

function headline(overview: Overview, view: DeployView | null, { paint, now }: StatusLook): string[] {
  const { service, wishTrouble: trouble } = overview;
  if (trouble !== undefined) return [`${paint.bad("✗")} ${paint.bold(service)}: the wish is ${trouble.word}`];
  if (view === null) return [`· ${paint.bold(service)}: nothing was ever deployed`];
  const { record } = view;
  const ill = illRows(overview);
  const state = stateText(record, paint);
  const { glyph, word } = isIllSince(record, ill)
    ? { glyph: paint.bad("✗"), word: `${record.state}, ${paint.bad(`${count(ill.length, "host")} unhealthy`)},` }
    : state;
  const age = duration(ageMs(record.times.changed, now));
  const lines = [`${glyph} ${paint.bold(service)} ${buildWanted(record)}: ${word} for ${age}; ${progressText(view)}`];
  const reason = reasonOf(record);
  if (reason !== "") lines.push(`  ${oneLine(reason)}`);
  const stuckMs = stuckForMs(view, now);
  if (stuckMs !== null) {
    const waiting = waitingText(waitingFor(view, now));
    lines.push(paint.warn(`! nothing has moved for ${duration(stuckMs)}; waiting for ${waiting}`));
  }
  lines.push(...nextSteps(view).map((step) => `  ${step}`));
  return lines;
}

function failures(view: DeployView | null, look: StatusLook): string[] {
  const found = view === null ? [] : failuresIn(view);
  if (found.length === 0) return [];
  const shown = found.slice(0, 5).flatMap((failure) => failureLines(failure, look.paint, 6));
  const more = found.length > 5 ? [`  and ${count(found.length - 5, "more failed host")}`] : [];
  return ["", ...shown, ...more];
}

/** Hosts that are ill without having failed: nobody deploys anything, and something has happened to them. */
function illnesses(overview: Overview, view: DeployView | null, { paint, now }: StatusLook): string[] {
  const told = new Set(view === null ? [] : failuresIn(view).map(({ host }) => host));
  const rows = illRows(overview).filter(({ host }) => !told.has(host));
  const shown = rows.slice(0, 5).map((row) => paint.bad(`✗ ${oneLine(row.host)} is ${illnessText(row.status, now)}`));
  return rows.length > shown.length ? [...shown, `  and ${count(rows.length - shown.length, "more host")}`] : shown;
}

function wishes({ wishes: { enabled, canary } }: Overview, { paint }: StatusLook): string[] {
  const fleet = enabled === null ? "nothing" : enabled.build;
  const canaries = canary === null ? "" : `, canary hosts ${canary.build}`;
  const byHand = enabled !== null && enabled.deploy === undefined ? paint.warn(" (written by hand)") : "";
  return [`wish    fleet ${fleet}${byHand}${canaries}`];
}

function deployFacts(view: DeployView, { now }: StatusLook): string[] {
  const { id, record } = view;
  const why = record.why === "" ? "" : `: ${oneLine(record.why)}`;
  const { max, budget, soakMs } = record.limits;
  const from = record.previous === null ? "the first deploy" : `after ${record.previous}`;
  return [
    `deploy  ${id} of ${record.build}, ${from}, by ${oneLine(record.who)} ${duration(ageMs(record.times.created, now))} ago${why}`,
    `        max ${max}, budget ${budget}, soak ${soakMs / 1000}s, stages ${record.stages.join(" > ")}, now ${record.stage}`,
    ...[costText(view)].filter((text) => text !== "").map((text) => `        ${text}`),
  ];
}

function hostTable(rows: readonly HostRow[], room: number, look: StatusLook): string[] {
  if (rows.length === 0) return ["No host has registered for it yet."];
  const { paint, now } = look;
  const shown = rows.length <= room ? rows : rows.slice(0, Math.max(1, room - 2));
  const lines = table(
    [
      ["", "HOST", "ROLE", "BUILD", "STEP", "HEALTH", "AGE", "ERROR"].map((title) => paint.dim(title)),
      ...shown.map((row) => cells(row, paint, now)),
    ],
    look.columns === undefined ? {} : { columns: look.columns },
  );
  return shown.length === rows.length ? lines : [...lines, paint.dim(`  and ${rows.length - shown.length} more`)];
}

function cells(row: HostRow, paint: Paint, now: Date): string[] {
  const { status } = row;
  // The last word of a host that is not there any more must not look like news.
  const said = row.connected ? (text: string): string => text : paint.dim;
  const until = status?.error?.until;
  const tried = until === undefined ? "" : ` It is tried again until ${dateTime(until)}.`;
  const error = status?.error ? `${status.error.message}${tried}` : illnessText(status);
  return [
    paintHost(row.phase, hostGlyph(row.phase), paint),
    oneLine(row.host),
    row.role === "canary" ? paint.bold(row.role) : row.role,
    said(status?.build ?? "-"),
    row.connected ? paintHost(row.phase, stepText(row), paint) : paint.dim(stepText(row)),
    said(status?.health ?? "-"),
    said(status === null ? "-" : duration(ageMs(status.since, now))),
    row.connected ? paint.bad(oneLine(error)) : paint.dim(oneLine(error)),
  ];
}
