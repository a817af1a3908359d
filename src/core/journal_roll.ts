import { activationIn, illegal } from "./journal_origin.ts";
import { MAX_RESTARTS } from "./plan.ts";
import { added, isBetweenBatches, rollAmong, rollOf, withBatchBegun, withBatchDone } from "./roll.ts";
import type { Journal, Roll, RollCounts } from "./types.ts";

/** How the restart of a batch ended. */
export type BatchEnd =
  | "restarted"
  /** It was touched, so that it is restarted again or the host goes back. */
  | "failed"
  /** Called off before anything was changed: the way back need not restart it either. */
  | "untouched"
  /** Called off because the agent stops: its successor begins it again, and it does not count as a try. */
  | "stopped";

/** The restart of the instances, batch after batch. */
export type RollEvent =
  /** There is no instance left to restart, or nothing to restart one by. */
  | { readonly kind: "nothing-to-restart" }
  /** Written before an instance of the batch is touched. `instances` are those that the host has now. */
  | { readonly kind: "batch-begun"; readonly batch: readonly string[]; readonly instances: readonly string[] }
  | { readonly kind: "batch-ended"; readonly how: BatchEnd; readonly cost: RollCounts };

type Of<Kind extends RollEvent["kind"]> = Extract<RollEvent, { kind: Kind }>;

export function nothingToRestart(journal: Journal, { kind }: Of<"nothing-to-restart">): Journal {
  const { activation, roll } = rollingIn(journal, kind);
  return withRoll(journal, activation, { ...roll, ...rollOf([]) });
}

export function batchBegun(journal: Journal, { kind, batch, instances }: Of<"batch-begun">): Journal {
  const { activation, roll } = rollingIn(journal, kind);
  const before = rollAmong(roll, instances);
  if (batch.length === 0) throw illegal(kind, "the batch is empty");
  if (!holds(before.left, batch)) throw illegal(kind, `${batch.join(", ")} need not be restarted`);
  // What was begun and has not ended comes first: it may be half restarted.
  if (!isBetweenBatches(before) && !(holds(before.batch, batch) && holds(batch, before.batch))) {
    throw illegal(kind, `the restart of ${before.batch.join(", ")} has not ended`);
  }
  if (before.begun >= MAX_RESTARTS) throw illegal(kind, `${before.begun} restarts were begun already`);
  return withRoll(journal, activation, withBatchBegun(before, batch));
}

export function batchEnded(journal: Journal, { kind, how, cost }: Of<"batch-ended">): Journal {
  const { activation, roll } = rollingIn(journal, kind);
  if (isBetweenBatches(roll) || roll.begun === 0) throw illegal(kind, "no batch was begun");
  return withRoll(journal, { ...activation, counts: added(activation.counts, cost) }, rollAfter(roll, how));
}

function rollAfter(roll: Roll, how: BatchEnd): Roll {
  switch (how) {
    case "restarted":
      return withBatchDone(roll);
    case "failed":
      return roll;
    case "untouched":
      return { ...roll, batch: [] };
    case "stopped":
      return { ...roll, begun: roll.begun - 1 };
  }
}

type Rolling = ReturnType<typeof rollingIn>["activation"];

function rollingIn(journal: Journal, kind: RollEvent["kind"]) {
  const activation = activationIn(journal, kind, ["forward", "back"]);
  return { activation, roll: activation.phase.restart };
}

function withRoll(journal: Journal, activation: Rolling, restart: Roll): Journal {
  return { ...journal, activation: { ...activation, phase: { ...activation.phase, restart } } };
}

function holds(all: readonly string[], some: readonly string[]): boolean {
  return some.every((name) => all.includes(name));
}
