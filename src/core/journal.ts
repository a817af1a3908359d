import {
  abandoned,
  begun,
  checked,
  finished,
  givenUp,
  proven,
  settled,
  turnedBack,
  type ActivationEvent,
} from "./journal_activation.ts";
import { bootOver, revivalBegun, revived, type BootEvent } from "./journal_boot.ts";
import { lastAttempt, outlived, withNothingLost, type FormerEvent } from "./journal_former.ts";
import { illegal } from "./journal_origin.ts";
import { hasLeft, leaveBegun, left, returnBegun, returned, type LeavingEvent } from "./leaving.ts";
import { batchBegun, batchEnded, nothingToRestart, rebooted, type RestartEvent } from "./journal_restart.ts";
import type { TrafficSpec } from "./traffic.ts";
import type { Journal, StepFailure } from "../schema/journal.ts";
import { nothingFollowed, type WishNode } from "./wish_order.ts";

/** What happens to a wish before its activation. */
type WishEvent =
  /** The host follows a wish of this number from now on; a wish with a lower number is older. */
  | { readonly kind: "followed"; readonly node: WishNode; readonly number: number }
  /** A wish that was not seen before gets its number. */
  | {
      readonly kind: "taken-up";
      readonly number: number;
      readonly deploy: string;
      readonly build: string;
      /** How many times the deploy was tried again. */
      readonly again: number;
    }
  /** The wished build was served already: nothing had to be done. */
  | { readonly kind: "seen-served" }
  /** Written before the install steps run, so that a run that kills the agent is counted as well. */
  | { readonly kind: "install-begun"; readonly deploy: string; readonly build: string }
  /** PREPARE failed for good: the build is not tried again here under this deploy. */
  | { readonly kind: "condemned"; readonly failure: StepFailure; readonly healthy: boolean };

/** The instances that have no traffic, or may have none. Written before one is turned off and after one is on again. */
interface TrafficEvent {
  readonly kind: "traffic";
  readonly by: TrafficSpec["by"];
  readonly off: readonly string[];
  readonly bootId: string;
}

/** Everything that ever changes a journal. */
export type JournalEvent =
  WishEvent | ActivationEvent | RestartEvent | BootEvent | FormerEvent | LeavingEvent | TrafficEvent;

/**
 * The journal after an event. Fields that the event does not concern stay, also those that only a newer agent knows: they
 * live as long as the object that they are part of.
 *
 * @throws DeployError `internal` where the event cannot follow from what the journal says; the action that it announces
 *   must not be done then either
 */
export function journalAfter(journal: Journal, event: JournalEvent): Journal {
  switch (event.kind) {
    case "followed":
      return followed(journal, event);
    case "taken-up":
      return takenUp(journal, event);
    case "seen-served":
      return seenServed(journal, event);
    case "install-begun":
      return installBegun(journal, event);
    case "condemned":
      return condemned(journal, event);
    case "begun":
      return begun(journal, event);
    case "abandoned":
      return abandoned(journal, event);
    case "nothing-to-restart":
      return nothingToRestart(journal, event);
    case "batch-begun":
      return batchBegun(journal, event);
    case "batch-ended":
      return batchEnded(journal, event);
    case "rebooted":
      return rebooted(journal, event);
    case "checked":
      return checked(journal, event);
    case "proven":
      return proven(journal, event);
    case "finished":
      return finished(journal, event);
    case "settled":
      return settled(journal, event);
    case "turned-back":
      return turnedBack(journal, event);
    case "given-up":
      return givenUp(journal, event);
    case "revival-begun":
      return revivalBegun(journal, event);
    case "revived":
      return revived(journal, event);
    case "boot-over":
      return bootOver(journal, event);
    case "leave-begun":
      return leaveBegun(journal, event);
    case "left":
      return left(journal, event);
    case "return-begun":
      return returnBegun(journal, event);
    case "returned":
      return returned(journal, event);
    case "outlived":
      return outlived(journal, event);
    case "traffic":
      return trafficChanged(journal, event);
  }
}

type Of<Kind extends JournalEvent["kind"]> = Extract<JournalEvent, { kind: Kind }>;

function followed(journal: Journal, { kind, node, number }: Of<"followed">): Journal {
  const before = journal.followed ?? nothingFollowed;
  if (number < before[node]) throw illegal(kind, `the number ${number} is lower than ${before[node]}`);
  return { ...journal, followed: { ...before, [node]: number } };
}

function takenUp(journal: Journal, { kind, number, deploy, build, again }: Of<"taken-up">): Journal {
  assertAtRest(journal, kind);
  const last = journal.attempt === null && journal.former === undefined ? -1 : lastAttempt(journal);
  // A grant for an older wish would be taken for one for this.
  if (number <= last) throw illegal(kind, `the number ${number} does not follow on ${last}`);
  const isAgain = journal.attempt?.deploy === deploy && journal.attempt.build === build;
  // Whoever has it tried again has mended what its install steps failed on. What was begun may be those of a build that the
  // host has ready for a later wish: they were not mended by that.
  const isMended = isAgain && installsBegun(journal, { deploy, build }) > 0;
  return { ...journal, ...(isMended ? { installs: null } : {}), attempt: { number, deploy, build, again } };
}

function seenServed(journal: Journal, { kind }: Of<"seen-served">): Journal {
  assertAtRest(journal, kind);
  return { ...journal, ...withNothingLost(journal), attempt: { ...attemptOf(journal, kind), served: true } };
}

/** How many times the install steps of this build were begun under this deploy. */
export function installsBegun(
  { installs }: Pick<Journal, "installs">,
  { deploy, build }: { readonly deploy: string; readonly build: string },
): number {
  return installs?.deploy === deploy && installs.build === build ? installs.begun : 0;
}

function installBegun(journal: Journal, { kind, deploy, build }: Of<"install-begun">): Journal {
  assertAtRest(journal, kind);
  const { installs } = journal;
  const same = installs?.deploy === deploy && installs.build === build;
  return { ...journal, installs: same ? { ...installs, begun: installs.begun + 1 } : { deploy, build, begun: 1 } };
}

/** It is the wish that was taken up that failed, whatever is wished by now. */
function condemned(journal: Journal, { kind, failure, healthy }: Of<"condemned">): Journal {
  assertAtRest(journal, kind);
  const { number, deploy, build, again = 0 } = attemptOf(journal, kind);
  return { ...journal, failed: { deploy, build, failure, attempt: number, again, healthy } };
}

function trafficChanged(journal: Journal, { kind, by, off, bootId }: Of<"traffic">): Journal {
  const { activation, traffic } = journal;
  const batch = activation !== null && "restart" in activation.phase ? activation.phase.restart.batch : [];
  const others = off.filter((name) => traffic?.off.includes(name) !== true && !batch.includes(name));
  // Only a restart takes traffic away, or the stop of a host that leaves, and the journal says that it was begun before.
  if (others.length > 0 && !hasLeft(journal)) throw illegal(kind, `nobody restarts ${others.join(", ")}`);
  return { ...journal, traffic: traffic?.by === by ? { ...traffic, off, bootId } : { by, off, bootId } };
}

/** Asserts that no activation is under way. */
function assertAtRest({ activation }: Journal, kind: JournalEvent["kind"]): void {
  if (activation !== null) throw illegal(kind, "an activation is under way");
}

function attemptOf({ attempt }: Journal, kind: JournalEvent["kind"]): NonNullable<Journal["attempt"]> {
  if (attempt === null) throw illegal(kind, "no wish was taken up");
  return attempt;
}
