/** One result: a ratio, against a peer measured in the same run or of what there is; a size; a count. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: "ratio" | "kB" | "MB" | "ms" | "count";
  /** The goal that was asked for, as the last value that meets it; null where none was. */
  readonly limit: number | null;
  /** On which side of the limit the goal is. */
  readonly goal: "at most" | "at least";
  /** What the value was made of. */
  readonly detail: Readonly<Record<string, unknown>>;
}

/** What a bench gets, and where its results go. */
export interface BenchRun {
  /** How often each thing is measured; the figures are made of medians. */
  readonly rounds: number;
  /** How many hosts were asked for, where a bench has hosts; null: as many as it has by itself. */
  readonly hosts: number | null;
  /** Whether this part of the bench was asked for. */
  wants(part: string): boolean;
  figure(figure: Figure): void;
  /** Something a figure needs is not there: the figure is left out, and the run fails. */
  missing(what: string, remedy: string): void;
  /** Progress, for people. */
  note(text: string): void;
}

export interface Bench {
  readonly summary: string;
  readonly parts: readonly string[];
  run(run: BenchRun): Promise<void>;
}

/** Whether the goal is met; a figure without one meets it. */
export function meetsLimit({ value, limit, goal }: Figure): boolean {
  if (limit === null) return true;
  return goal === "at most" ? value <= limit : value >= limit;
}
