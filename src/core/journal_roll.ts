import { activationIn, illegal } from "./journal_origin.ts";
import {
  added,
  isBetweenBatches,
  rollAmong,
  rollOf,
  whyExhausted,
  withBatchBegun,
  withBatchDone,
  withBoot,
} from "./roll.ts";
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
  | { readonly kind: "batch-ended"; readonly how: BatchEnd; readonly cost: RollCounts }
  /**
   * The machine was started anew in the middle. `down` are instances that were done with, and that nobody but deployd
   * starts: they are to be restarted again.
   */
  | { readonly kind: "rebooted"; readonly bootId: string; readonly down: readonly string[] };

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
  const exhausted = whyExhausted(before);
  if (exhausted !== null) throw illegal(kind, exhausted);
  return withRoll(journal, activation, withBatchBegun(before, batch));
}

export function batchEnded(journal: Journal, { kind, how, cost }: Of<"batch-ended">): Journal {
  const { activation, roll } = rollingIn(journal, kind);
  if (isBetweenBatches(roll) || roll.begun === 0) throw illegal(kind, "no batch was begun");
  return withRoll(journal, { ...activation, counts: added(activation.counts, cost) }, rollAfter(roll, how));
}

export function rebooted(journal: Journal, { kind, bootId, down }: Of<"rebooted">): Journal {
  const { activation, roll } = rollingIn(journal, kind);
  if (activation.bootId === bootId) throw illegal(kind, "it is the same boot as before");
  if (activation.bootId === undefined) {
    if (down.length > 0) throw illegal(kind, "nothing is known of the boot before");
    return withRoll(journal, { ...activation, bootId }, roll);
  }
  const both = down.filter((name) => roll.left.includes(name));
  if (both.length > 0) throw illegal(kind, `${both.join(", ")} is to be restarted as it is`);
  return withRoll(journal, { ...activation, bootId }, withBoot(roll, down));
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
