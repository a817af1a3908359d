import { INSTANCES } from "./app.ts";
import type { FailureClass, Tally } from "./load.ts";
import type { Outcome } from "./run_variant.ts";
import { ROLLS, SHORT_DEADLINE_S, type Variant } from "./variants.ts";

/** What a variant came to. */
export interface Verdict {
  readonly requests: number;
  readonly failed: number;
  readonly late: number;
  readonly classes: Readonly<Record<FailureClass, number>>;
  /** Of each roll, in milliseconds: by the agent's account, or all that it took where no agent rolled. */
  readonly rollMs: readonly number[];
  /** Connections that the agent says it closed, and refused, over all rolls; null where it cannot tell. */
  readonly closed: number | null;
  readonly refusedByTraffic: number | null;
  /** WebSockets closed by the other side; of them, before the bound of the drain; with a word on its way. */
  readonly webSockets: { readonly closed: number; readonly early: number; readonly midway: number };
  /** The most that the load itself was late, in milliseconds. */
  readonly lagMs: number;
  /** What would make every other number worthless: copies that were not restarted, or not under load. */
  readonly blindSpots: readonly string[];
  /** What is not as it was expected. */
  readonly disappointments: readonly string[];
}

export function judged(variant: Variant, outcome: Outcome): Verdict {
  const tallies = outcome.loads.flatMap(({ http, line }) => [http, line]);
  const sum = (count: (tally: Tally) => number): number => tallies.reduce((total, tally) => total + count(tally), 0);
  const classCount = (name: FailureClass) => sum(({ classes }) => classes[name]);
  const told = outcome.rolls.map((roll) => roll.told);
  const verdict = {
    requests: sum(({ requests }) => requests),
    failed: sum(({ failed }) => failed),
    late: sum(({ late }) => late),
    classes: {
      refused: classCount("refused"),
      stale: classCount("stale"),
      broken: classCount("broken"),
      timeout: classCount("timeout"),
      "5xx": classCount("5xx"),
      garbled: classCount("garbled"),
    },
    rollMs: outcome.rolls.map(({ deployMs, told }) =>
      told === null ? deployMs : Object.values(told.phaseMs).reduce((total, ms) => total + ms, 0),
    ),
    closed: added(told.map((roll) => roll?.closed ?? null)),
    refusedByTraffic: added(told.map((roll) => roll?.refused ?? null)),
    webSockets: webSocketsOf(outcome),
    lagMs: Math.max(...outcome.loads.map(({ lagMs }) => lagMs)),
  };
  return {
    ...verdict,
    blindSpots: blindSpots(variant, outcome),
    disappointments: disappointments(variant, verdict),
  };
}

function added(counts: readonly (number | null)[]): number | null {
  return counts.reduce((total, count) => (total === null || count === null ? null : total + count), 0);
}

/** A little early is no other moment: both write down the time when they come to it. */
const CLOCK_SLACK_MS = 100;

function webSocketsOf({ loads, events }: Outcome): Verdict["webSockets"] {
  const closings = loads.flatMap((load) => load.closings);
  const early = closings.filter(({ at, process }) => {
    const told = events.find(({ event, pid }) => event === "told" && pid === process);
    return told === undefined || at < told.at + SHORT_DEADLINE_S * 1_000 - CLOCK_SLACK_MS;
  });
  return { closed: closings.length, early: early.length, midway: closings.filter(({ midway }) => midway).length };
}

function blindSpots(variant: Variant, { rolls, loads, events }: Outcome): string[] {
  const problems: string[] = [];
  const copies = variant.strategy === "systemd-socket" || variant.strategy === "socket-restart" ? 1 : INSTANCES.length;
  const expected = copies * (rolls.length + 1);
  const started = new Set(events.filter(({ event }) => event === "listening").map(({ pid }) => pid));
  if (started.size !== expected) problems.push(`${started.size} processes came to listen, not ${expected}`);
  for (const { http, line, webSocket } of loads) {
    const garbled = [http, line, webSocket].flatMap(({ samples }) => samples.filter(({ kind }) => kind === "garbled"));
    for (const { detail } of garbled) problems.push(`garbled: ${detail}`);
  }
  // Connections of the line protocol may stay with the copies that came first; there need not be one for the last.
  if (variant.clients !== "line") {
    const asked = new Set(loads.flatMap(({ http }) => Object.keys(http.processes).map(Number)));
    const unasked = [...started].filter((pid) => !asked.has(pid));
    if (unasked.length > 0) problems.push(`${unasked.length} of ${started.size} processes were never asked`);
  }
  return problems;
}

function disappointments({ expects }: Variant, verdict: Omit<Verdict, "blindSpots" | "disappointments">): string[] {
  const problems: string[] = [];
  const atMost = (what: string, value: number, limit: number | undefined): void => {
    if (limit !== undefined && value > limit) problems.push(`${value} ${what}, at most ${limit} expected`);
  };
  atMost("failed", verdict.failed, expects.failed);
  atMost("late", verdict.late, expects.late);
  if (expects.requests !== undefined && verdict.rollMs.length >= ROLLS && verdict.requests < expects.requests) {
    problems.push(`${verdict.requests} requests in ${ROLLS} rolls, at least ${expects.requests} expected`);
  }
  for (const name of expects.none ?? []) atMost(name, verdict.classes[name], 0);
  atMost("WebSockets closed before the bound of the drain", verdict.webSockets.early, 0);
  if (expects.fails === true && verdict.failed === 0)
    problems.push("nothing failed: the load does not see what it must");
  // Whatever was open when a copy was stopped: those whose request could still end are among them.
  if (expects.tellsClosed === true && (verdict.closed ?? 0) < verdict.classes.stale) {
    problems.push(`the agent tells of ${verdict.closed} closed connections, and ${verdict.classes.stale} were stale`);
  }
  return problems;
}

/** All that helps to find out what went wrong. */
export function explained(verdict: Verdict, { loads, events }: Outcome): string {
  const samples = loads.flatMap(({ http, line, webSocket }) =>
    [http, line, webSocket].flatMap((tally) => tally.samples),
  );
  const lines = [
    JSON.stringify(verdict),
    ...samples.map((sample) => JSON.stringify(sample)),
    ...events.map((event) => JSON.stringify(event)),
  ];
  return lines.join("\n");
}
