import { failureLines } from "../view/deploy_lines.ts";
import { progressText } from "../view/deploy_words.ts";
import { hostSign, illnessText, troubleText, type HostRow } from "../view/host.ts";
import type { Overview } from "../view/overview.ts";
import { serviceStatus, type DeployStatus, type ServiceStatus } from "../view/status.ts";
import { ageMs, duration } from "../view/times.ts";
import { count, oneLine } from "../view/words.ts";
import { paintedLine, toned, type Paint } from "../cli/paint.ts";
import { table } from "../cli/table.ts";
import { clip, wrap } from "../cli/text.ts";

export interface StatusLook {
  readonly paint: Paint;
  readonly now: Date;
  /** Columns of the terminal; unlimited unless given. */
  readonly columns?: number;
  /** Rows for everything; hosts that do not fit are only counted. Unlimited unless given. */
  readonly rows?: number;
}

/** At most this many failed hosts are shown in detail; the others are counted. */
const MOST_TOLD = 5;
const LOG_LINES = 6;

/** One service for people: first what moves, what is stuck and what failed, then the hosts. */
export function statusLines(overview: Overview, look: StatusLook): string[] {
  const status = serviceStatus(overview, look.now);
  const head = [
    ...headline(status, look.paint),
    ...failures(status, look.paint),
    ...illnesses(status, look),
    // They end with what to do, so they are wrapped and never cut.
    ...status.problems.flatMap((problem) =>
      wrap(`! ${oneLine(problem)}`, look.columns ?? Infinity, "  ").map((line) => look.paint.warn(line)),
    ),
    "",
    wishLine(status, look.paint),
    ...(status.frozen === "" ? [] : [look.paint.warn(`        ${status.frozen}`)]),
    ...(status.deploy?.facts.map((fact, index) => `${index === 0 ? "deploy" : "      "}  ${fact}`) ?? []),
    "",
  ];
  const fit = (line: string): string => (look.columns === undefined ? line : clip(line, look.columns));
  const room = look.rows === undefined ? Infinity : Math.max(3, look.rows - head.length - 1);
  const lines = [...head.map(fit), ...hostTable(status.hosts, room, look)];
  // Output taller than its terminal would scroll its own first line away.
  if (look.rows === undefined || lines.length <= look.rows) return lines;
  const shown = lines.slice(0, Math.max(1, look.rows - 1));
  return [...shown, look.paint.dim(fit(`  and ${count(lines.length - shown.length, "more line")}`))];
}

function headline({ service, wishTrouble, deploy }: ServiceStatus, paint: Paint): string[] {
  if (wishTrouble !== null) return [`${paint.bad("✗")} ${paint.bold(service)}: the wish is ${wishTrouble}`];
  if (deploy === null) return [`· ${paint.bold(service)}: nothing was ever deployed`];
  const { sign, build, ageMs: age, view, reason, stuck, waits, steps } = deploy;
  const glyph = toned(paint, sign.tone, sign.glyph);
  return [
    `${glyph} ${paint.bold(service)} ${build}: ${stateText(deploy, paint)} for ${duration(age)}; ${progressText(view)}`,
    ...(reason === "" ? [] : [`  ${oneLine(reason)}`]),
    ...(stuck === "" ? [] : [paint.warn(`! ${stuck}`)]),
    ...waits.map((why) => paint.warn(`! ${why}`)),
    ...steps.map((step) => `  ${step}`),
  ];
}

function stateText({ sign, illSince }: DeployStatus, paint: Paint): string {
  if (illSince === 0) return toned(paint, sign.tone, sign.word);
  return `${sign.word}, ${paint.bad(`${count(illSince, "host")} unhealthy`)},`;
}

function failures({ failures: all }: ServiceStatus, paint: Paint): string[] {
  if (all.length === 0) return [];
  const shown = all
    .slice(0, MOST_TOLD)
    .flatMap((failure) => failureLines(failure, LOG_LINES).map((line) => paintedLine(line, paint)));
  const more = all.length > MOST_TOLD ? [`  and ${count(all.length - MOST_TOLD, "more failed host")}`] : [];
  return ["", ...shown, ...more];
}

function illnesses({ ill }: ServiceStatus, { paint, now }: StatusLook): string[] {
  const shown = ill
    .slice(0, MOST_TOLD)
    .map((row) => paint.bad(`✗ ${oneLine(row.host)} is ${illnessText(row.status, now)}`));
  return ill.length > shown.length ? [...shown, `  and ${count(ill.length - shown.length, "more host")}`] : shown;
}

function wishLine({ wish: { fleet, isByHand, canary } }: ServiceStatus, paint: Paint): string {
  const byHand = isByHand ? paint.warn(" (written by hand)") : "";
  return `wish    fleet ${fleet ?? "nothing"}${byHand}${canary === null ? "" : `, canary hosts ${canary}`}`;
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
  const { status, connected } = row;
  const { glyph, word, tone } = hostSign(row);
  // The last status of a disconnected host must not look current.
  const said = connected ? (text: string): string => text : paint.dim;
  const error = oneLine(troubleText(row));
  return [
    toned(paint, tone, glyph),
    oneLine(row.host),
    row.role === "canary" ? paint.bold(row.role) : row.role,
    said(status?.build ?? "-"),
    connected ? toned(paint, tone, word) : paint.dim(word),
    said(status?.health ?? "-"),
    said(status === null ? "-" : duration(ageMs(status.since, now))),
    connected ? paint.bad(error) : paint.dim(error),
  ];
}
