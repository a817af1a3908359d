import { activationIn, illegal } from "./journal_origin.ts";
import {
  added,
  isBetweenBatches,
  restartAmong,
  restartOf,
  whyExhausted,
  withBatchBegun,
  withBatchDone,
  withBoot,
} from "./restart_progress.ts";
import type { Journal, RestartProgress, RestartCost } from "../schema/journal.ts";

/** How the restart of a batch ended. */
export type BatchEnd =
  | "restarted"
  /** Some instance was touched, so the batch is restarted again or the host goes back. */
  | "failed"
  /** Called off before anything was changed, so the way back need not restart the batch either. */
  | "untouched"
  /** Called off because the agent stops: the next agent begins the batch again, and this does not count as a try. */
  | "stopped";

/** The restart of the instances, batch after batch. */
export type RestartEvent =
  /** No instance is left to restart, or the build is only files, with nothing to restart. */
  | { readonly kind: "nothing-to-restart" }
  /** Written before an instance of the batch is touched. `instances` are those that the host has now. */
  | { readonly kind: "batch-begun"; readonly batch: readonly string[]; readonly instances: readonly string[] }
  | { readonly kind: "batch-ended"; readonly how: BatchEnd; readonly cost: RestartCost }
  /**
   * The machine was rebooted in the middle. `down` are instances that had been restarted already and that only deployd
   * starts: they have to be restarted again.
   */
  | { readonly kind: "rebooted"; readonly bootId: string; readonly down: readonly string[] };

type Of<Kind extends RestartEvent["kind"]> = Extract<RestartEvent, { kind: Kind }>;

export function nothingToRestart(journal: Journal, { kind }: Of<"nothing-to-restart">): Journal {
  const { activation, progress } = restartingIn(journal, kind);
  return withProgress(journal, activation, { ...progress, ...restartOf([]) });
}

export function batchBegun(journal: Journal, { kind, batch, instances }: Of<"batch-begun">): Journal {
  const { activation, progress } = restartingIn(journal, kind);
  const before = restartAmong(progress, instances);
  if (batch.length === 0) throw illegal(kind, "the batch is empty");
  if (!holds(before.left, batch)) throw illegal(kind, `${batch.join(", ")} need not be restarted`);
  // A batch that was begun and has not ended comes first: it may be half restarted.
  if (!isBetweenBatches(before) && !(holds(before.batch, batch) && holds(batch, before.batch))) {
    throw illegal(kind, `the restart of ${before.batch.join(", ")} has not ended`);
  }
  const exhausted = whyExhausted(before);
  if (exhausted !== null) throw illegal(kind, exhausted);
  return withProgress(journal, activation, withBatchBegun(before, batch));
}

export function batchEnded(journal: Journal, { kind, how, cost }: Of<"batch-ended">): Journal {
  const { activation, progress } = restartingIn(journal, kind);
  if (isBetweenBatches(progress) || progress.begun === 0) throw illegal(kind, "no batch was begun");
  return withProgress(journal, { ...activation, counts: added(activation.counts, cost) }, progressAfter(progress, how));
}

export function rebooted(journal: Journal, { kind, bootId, down }: Of<"rebooted">): Journal {
  const { activation, progress } = restartingIn(journal, kind);
  if (activation.bootId === bootId) throw illegal(kind, "it is the same boot as before");
  if (activation.bootId === undefined) {
    if (down.length > 0) throw illegal(kind, "nothing is known of the boot before");
    return withProgress(journal, { ...activation, bootId }, progress);
  }
  const both = down.filter((name) => progress.left.includes(name));
  if (both.length > 0) throw illegal(kind, `${both.join(", ")} is to be restarted as it is`);
  return withProgress(journal, { ...activation, bootId }, withBoot(progress, down));
}

function progressAfter(progress: RestartProgress, how: BatchEnd): RestartProgress {
  switch (how) {
    case "restarted":
      return withBatchDone(progress);
    case "failed":
      return progress;
    case "untouched":
      return { ...progress, batch: [] };
    case "stopped":
      return { ...progress, begun: progress.begun - 1 };
  }
}

type Restarting = ReturnType<typeof restartingIn>["activation"];

function restartingIn(journal: Journal, kind: RestartEvent["kind"]) {
  const activation = activationIn(journal, kind, ["forward", "back"]);
  return { activation, progress: activation.phase.restart };
}

function withProgress(journal: Journal, activation: Restarting, restart: RestartProgress): Journal {
  return { ...journal, activation: { ...activation, phase: { ...activation.phase, restart } } };
}

function holds(all: readonly string[], some: readonly string[]): boolean {
  return some.every((name) => all.includes(name));
}
