import { EDGES, INVARIANTS, type Edge, type Invariant, type Violation } from "../checker/ledger.ts";
import type { Performance } from "./performance.ts";

/** What many rehearsals came to together. */
export class Totals {
  seeds = 0;
  deploys = 0;
  deploysWithGrants = 0;
  faultsInDeploys = 0;
  effects = 0;
  virtualMs = 0;
  /** Of processor time, over all processes. */
  realMs = 0;
  readonly faults = new Map<string, number>();
  readonly edges = new Map<Edge, number>(EDGES.map((edge) => [edge, 0]));
  /** Names of those in which something was broken, by what it was. */
  readonly broken = new Map<Invariant, string[]>();

  add({ name, deploys, deploysWithGrants, faultsInDeploys, effects, virtualMs, realMs, ...result }: Performance): void {
    this.seeds += 1;
    this.deploys += deploys;
    this.deploysWithGrants += deploysWithGrants;
    this.faultsInDeploys += faultsInDeploys;
    this.effects += Object.values(effects).reduce((sum, count) => sum + count, 0);
    this.virtualMs += virtualMs;
    this.realMs += realMs;
    for (const [fault, count] of Object.entries(result.faults)) {
      this.faults.set(fault, (this.faults.get(fault) ?? 0) + count);
    }
    for (const edge of EDGES) this.edges.set(edge, (this.edges.get(edge) ?? 0) + (result.edges[edge] ?? 0));
    note(this.broken, result.violations, name);
  }

  get brokenCount(): number {
    return [...this.broken.values()].reduce((sum, names) => sum + names.length, 0);
  }

  get faultCount(): number {
    return [...this.faults.values()].reduce((sum, count) => sum + count, 0);
  }

  get faultsPerDeploy(): number {
    return this.faultsInDeploys / Math.max(1, this.deploysWithGrants);
  }

  /** Edges that no rehearsal came to. */
  get unreached(): Edge[] {
    return EDGES.filter((edge) => this.edges.get(edge) === 0);
  }
}

/** For people. @param wallMs how long it took by the clock on the wall */
export function totalsText(totals: Totals, wallMs: number): string[] {
  const { seeds, deploys, virtualMs, faults, edges, broken } = totals;
  const hours = virtualMs / 3_600_000;
  const ratio = Math.round(virtualMs / Math.max(1, wallMs));
  const width = Math.max(...EDGES.map((edge) => edge.length));
  return [
    `${seeds} worlds, ${deploys} deploys, ${hours.toFixed(1)} virtual hours in ${(wallMs / 1000).toFixed(0)} s: ${ratio} times as fast as real time`,
    `${totals.effects} effects; ${totals.faultCount} faults, ${totals.faultsPerDeploy.toFixed(1)} between the first grant and the last release of a deploy:`,
    ...inColumns([...faults].toSorted(([, a], [, b]) => b - a).map(([fault, count]) => `${fault} ${count}`)),
    "how often the edge of what must not be was reached:",
    ...EDGES.map((edge) => `  ${edge.padEnd(width)}  ${edges.get(edge) ?? 0}`),
    `invariants broken: ${totals.brokenCount} (of ${Object.keys(INVARIANTS).length} that are held at every instant or at the end)`,
    ...[...broken].map(line),
  ];
}

function note(names: Map<Invariant, string[]>, violations: readonly Violation[], name: string): void {
  for (const invariant of new Set(violations.map((violation) => violation.invariant))) {
    names.set(invariant, [...(names.get(invariant) ?? []), name]);
  }
}

const MOST_NAMES = 12;

function line([invariant, names]: [Invariant, string[]]): string {
  const more = names.length > MOST_NAMES ? `, and ${names.length - MOST_NAMES} more` : "";
  return `  ${invariant}: ${INVARIANTS[invariant]} - ${names.slice(0, MOST_NAMES).join(", ")}${more}`;
}

const COLUMNS = 4;

function inColumns(cells: readonly string[]): string[] {
  const width = Math.max(0, ...cells.map((cell) => cell.length)) + 2;
  const rows: string[] = [];
  for (let at = 0; at < cells.length; at += COLUMNS) {
    const row = cells.slice(at, at + COLUMNS).map((cell) => cell.padEnd(width));
    rows.push(`  ${row.join("").trimEnd()}`);
  }
  return rows;
}
