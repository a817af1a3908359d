import { expect, test } from "bun:test";
import fc from "fast-check";
import { isDeployError } from "../../src/core/errors.ts";
import { journalAfter, type JournalEvent } from "../../src/core/journal.ts";
import { MAX_RESTARTS, noCounts, restartOf } from "../../src/core/restart_progress.ts";
import type { Journal, RestartCost } from "../../src/schema/journal.ts";
import { readJournal } from "../../src/schema/journal_versions.ts";
import { places, samples, second } from "../core/journals.ts";

const names = fc.subarray(["1", "2", "3"]);
const builds = fc.constantFrom("v1", "v2", "v3");
const deploys = fc.constantFrom("d1", "d2", "d3");
const cost: fc.Arbitrary<RestartCost> = fc.record({
  instances: fc.nat(2),
  closed: fc.option(fc.nat(3)),
  refused: fc.option(fc.nat(3)),
  forced: fc.subarray<"off" | "idle">(["off", "idle"]),
  phaseMs: fc.constantFrom({}, { stop: 5 }, { stop: 1, idle: 2 }),
});

type MakeEvent = (journal: Journal) => JournalEvent;

/** An event of each kind, with whatever data; many of them do not follow on the journal that they meet. */
const event: fc.Arbitrary<MakeEvent> = fc.oneof<fc.Arbitrary<MakeEvent>[]>(
  fc.constantFrom(...Object.values(samples)).map((sample) => () => sample),
  // Those that may come at one place alone.
  fc.constantFrom(samples["revival-begun"], samples.revived).map((rare) => () => rare),
  fc
    .record({ more: fc.integer({ min: -1, max: 2 }), deploy: deploys, build: builds, again: fc.nat(2) })
    .map(({ more, ...wish }) => ({ attempt }) => ({
      kind: "taken-up",
      number: Math.max(0, (attempt?.number ?? 0) + more),
      ...wish,
    })),
  fc.record({ previous: fc.option(builds), left: names }).map(({ previous, left }): MakeEvent => ({ attempt }) => ({
    kind: "begun",
    activation: {
      build: attempt?.build ?? "",
      deploy: attempt?.deploy ?? "",
      attempt: attempt?.number ?? 0,
      previous,
      soakMs: 0,
      phase: { kind: "forward", restart: restartOf(left) },
      counts: noCounts,
    },
  })),
  fc.record({ batch: names, instances: names }).map((batch) => () => ({ kind: "batch-begun", ...batch })),
  fc
    .record({ how: fc.constantFrom("restarted", "restarted", "failed", "untouched", "stopped"), cost })
    .map((end) => () => ({ kind: "batch-ended", ...end })),
  fc.record({ bootId: fc.constantFrom("a", "b"), down: names }).map((boot) => () => ({ kind: "rebooted", ...boot })),
  fc.record({ build: builds }).map(({ build }) => () => ({ kind: "checked", config: "c", build, processes: [] })),
  names.map((left) => () => ({
    kind: "turned-back",
    failure: second,
    instances: left.map((name) => ({ name, served: { kind: "down" } })),
  })),
  fc.boolean().map((healthy) => () => ({ kind: "given-up", healthy })),
  fc
    .record({ by: fc.constantFrom("nft", "haproxy"), off: names, bootId: fc.constantFrom("a", "b") })
    .map((traffic) => () => ({ kind: "traffic", ...traffic })),
);

interface Change {
  readonly before: Journal;
  readonly event: JournalEvent;
  readonly after: Journal;
}

/** What a journal goes through: every event that may follow on what was there. */
function changesFrom(start: Journal, events: readonly MakeEvent[]): Change[] {
  const changes: Change[] = [];
  let before = start;
  for (const make of events) {
    const event = make(before);
    try {
      const after = journalAfter(before, event);
      changes.push({ before, event, after });
      before = after;
    } catch (error) {
      if (!isDeployError(error)) throw error;
    }
  }
  return changes;
}

/** Holds of every change, from wherever a journal may start. */
function always(holds: (change: Change) => void, decorate: (journal: Journal) => Journal = (journal) => journal): void {
  const met = new Set<string>();
  const go = (start: Journal, events: readonly MakeEvent[]): void => {
    for (const change of changesFrom(decorate(start), events)) {
      met.add(change.event.kind);
      holds(change);
    }
  };
  const starts = Object.values<Journal>(places);
  // Each event at each place first: those that may come at one place alone are rare by chance.
  for (const start of starts) for (const sample of Object.values(samples)) go(start, [() => sample]);
  fc.assert(fc.property(fc.constantFrom(...starts), fc.array(event, { minLength: 10, maxLength: 60 }), go), {
    numRuns: 1_500,
  });
  expect([...met].toSorted()).toEqual(Object.keys(samples).toSorted());
}

test("attempts only grow", () => {
  always(({ before, event, after }) => {
    const [was, is] = [before.attempt?.number ?? -1, after.attempt?.number ?? -1];
    if (event.kind === "taken-up") expect(is).toBeGreaterThan(was);
    else expect(wishOf(after)).toEqual(wishOf(before));
  });
});

/** What was taken up, without how far it has come. */
function wishOf({ attempt }: Journal): object | null {
  return attempt === null ? null : { ...attempt, begun: undefined, served: undefined };
}

test("a wish counts each activation begun for it, until the service settles, and was served until its host comes back", () => {
  always(({ before, event, after }) => {
    if (before.attempt === null || after.attempt === null || event.kind === "taken-up") return;
    const was = before.attempt.begun ?? 0;
    const is = event.kind === "begun" ? was + 1 : event.kind === "settled" ? 0 : was;
    expect(after.attempt.begun ?? 0).toBe(is);
    // Whoever took the service down on purpose wants it up again: what was served has yet to be.
    if (event.kind === "return-begun") expect(after.attempt.served).toBeUndefined();
    else if (before.attempt.served === true) expect(after.attempt.served).toBe(true);
    else if (after.attempt.served === true) expect(["finished", "seen-served"]).toContain(event.kind);
  });
});

test("an activation is never lost but by being finished, given up or abandoned, and never becomes another", () => {
  always(({ before, event, after }) => {
    if (before.activation === null) return expect(after.activation === null).toBe(event.kind !== "begun");
    if (after.activation === null) return expect(["finished", "given-up", "abandoned"]).toContain(event.kind);
    const { build, deploy, attempt, previous } = before.activation;
    expect(after.activation).toMatchObject({ build, deploy, attempt, previous });
  });
});

test("the phases of an activation go one way, and a proven build is never doubted again", () => {
  const next = {
    forward: ["forward", "proven", "back"],
    proven: ["proven"],
    back: ["back", "stuck"],
    stuck: ["stuck"],
  } as const;
  always(({ before, after }) => {
    if (before.activation === null || after.activation === null) return;
    expect(next[before.activation.phase.kind]).toContain(after.activation.phase.kind);
  });
});

test("what restarts cost only grows, and outlives the activation", () => {
  always(({ before, after }) => {
    if (before.activation === null) return;
    const was = before.activation.counts;
    const is = after.activation?.counts ?? after.lastRestart ?? noCounts;
    expect(is.instances).toBeGreaterThanOrEqual(was.instances);
    if (was.instances > 0) {
      expect(is.closed ?? -1).toBeGreaterThanOrEqual(was.closed ?? -1);
      expect(is.phaseMs.stop ?? 0).toBeGreaterThanOrEqual(was.phaseMs.stop ?? 0);
    }
  });
});

test("no batch is begun more often than a build may be tried, and only a boot has one restarted that was done with", () => {
  always(({ before, event, after }) => {
    const [was, is] = [before.activation?.phase, after.activation?.phase];
    if (is === undefined || !("restart" in is)) return;
    expect(is.restart.begun).toBeLessThanOrEqual(MAX_RESTARTS);
    expect(is.restart.left).toEqual(expect.arrayContaining([...is.restart.batch]));
    if (event.kind === "batch-begun") expect(is.restart.boots ?? 0).toBeLessThan(MAX_RESTARTS);
    if (was?.kind === is.kind && event.kind !== "rebooted")
      expect(was.restart.left).toEqual(expect.arrayContaining([...is.restart.left]));
  });
});

test("a failure is remembered until a build is served here, or another failure takes its place", () => {
  always(({ before, event, after }) => {
    if (before.failed === null || event.kind === "finished") return;
    if (event.kind === "condemned" || event.kind === "given-up") {
      // Whoever conducts tells a newer failure by its attempt.
      expect(after.failed?.attempt).toBeGreaterThanOrEqual(before.failed.attempt);
    } else expect(after.failed).toBe(before.failed);
  });
});

test("every way back ends with a failure that names the wish it was for", () => {
  always(({ before, event, after }) => {
    if (event.kind !== "given-up" || before.activation === null) return;
    const { build, deploy, attempt } = before.activation;
    expect(after.failed).toMatchObject({ build, deploy, attempt });
  });
});

test("whatever is written can be read again", () => {
  always(({ after }) => {
    expect(readJournal(JSON.stringify(after))).toEqual({ kind: "understood", journal: after });
  });
});

/** A field in every object that no agent of this version has a name for. */
function withLater<Value>(value: Value): Value {
  if (Array.isArray(value)) return value.map(withLater) as Value;
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).map(([name, field]) => [name, withLater<unknown>(field)]);
  return { ...Object.fromEntries(fields), later: 1 } as Value;
}

/** The objects that lost that field, by their place. Those that are gone have not. */
function withoutLater(before: unknown, after: unknown, place = "journal"): string[] {
  if (!isObject(before) || !isObject(after)) return [];
  const here = before["later"] === 1 && after["later"] !== 1 ? [place] : [];
  return [
    ...here,
    ...Object.keys(before).flatMap((name) => withoutLater(before[name], after[name], `${place}.${name}`)),
  ];
}
function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** What takes the place of another thing does not inherit from it. */
function replacedBy(change: Change): string[] {
  const { before, event, after } = change;
  const isOver = event.kind === "leave-begun" || after.leaving === undefined;
  const left = before.leaving !== undefined && isOver ? ["journal.leaving"] : [];
  const lost = after.former?.lost === null || event.kind === "outlived" ? ["journal.former.lost"] : [];
  return [...left, ...lost, ...replacedByKind(change)];
}

function replacedByKind({ before, event, after }: Change): string[] {
  switch (event.kind) {
    case "taken-up":
      return ["journal.attempt"];
    case "install-begun":
      return after.installs?.begun === 1 ? ["journal.installs"] : [];
    case "condemned":
      return ["journal.failed"];
    case "abandoned":
      return ["journal.lastRestart"];
    case "checked":
    case "returned":
    case "revived":
      return ["journal.restarted"];
    case "revival-begun":
    case "boot-over":
      return before.boot?.id === after.boot?.id ? [] : ["journal.boot"];
    case "proven":
    case "turned-back":
      return ["journal.activation.phase"];
    case "finished":
      return ["journal.lastRestart", "journal.served"];
    case "given-up":
      return ["journal.lastRestart", "journal.failed"];
    case "traffic":
      return before.traffic?.by === after.traffic?.by ? [] : ["journal.traffic"];
    default:
      return [];
  }
}

test("what a newer agent has written lives as long as the thing that it is part of", () => {
  always((change) => {
    const { before, after } = change;
    const replaced = replacedBy(change);
    const lost = withoutLater(before, after).filter((place) => !replaced.some((part) => place.startsWith(part)));
    expect(lost).toEqual([]);
    // The cost of an activation is told after it.
    const counts: unknown = before.activation?.counts;
    if (isObject(counts) && counts["later"] === 1 && after.activation === null && after.lastRestart !== null) {
      expect(after.lastRestart).toHaveProperty("later", 1);
      expect(after.lastRestart.phaseMs).toHaveProperty("later", 1);
    }
  }, withLater);
});
