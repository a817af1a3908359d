import { illegal } from "./journal_origin.ts";
import type { Journal } from "../schema/journal.ts";
import type { HostRecord } from "../schema/znodes.ts";

/*
 * A host leaves the fleet by a hold that says so: its service is stopped in a slot, and stays stopped until the hold is
 * given back (docs/adr/0038). The journal says how far that is, so that no agent brings the service up in between.
 */

/** What ZooKeeper says of whether this host is to leave. */
export type Leave =
  /** ZooKeeper has not been read yet, or the host is about to be registered: what was begun is gone on with. */
  | { readonly kind: "unknown" }
  | { readonly kind: "stays" }
  /** When its turn comes. */
  | { readonly kind: "asked"; readonly who: string; readonly why: string }
  /** The host was stopped, and somebody has forgotten it since. */
  | { readonly kind: "forgotten" };

export type LeavingEvent =
  /** Written before an instance is touched. */
  | { readonly kind: "leave-begun"; readonly who: string; readonly why: string; readonly bootId: string }
  /** No instance runs any more. */
  | { readonly kind: "left" }
  /** It is to stay after all: the service is to be started, through its check. */
  | { readonly kind: "return-begun" }
  /** It is one of the fleet again; `restarted` is what runs since it was started, null where that is not known. */
  | { readonly kind: "returned"; readonly restarted: Journal["restarted"] };

type Of<Kind extends LeavingEvent["kind"]> = Extract<LeavingEvent, { kind: Kind }>;

/** Of a host that registered itself, or was registered again, by its record; null where it has none. */
export function leaveIn(record: Pick<HostRecord, "hold"> | null, journal: Pick<Journal, "leaving">): Leave {
  if (record === null) return hasLeft(journal) ? { kind: "forgotten" } : { kind: "unknown" };
  const { hold } = record;
  return hold?.stop === true ? { kind: "asked", who: hold.who, why: hold.why } : { kind: "stays" };
}

/** Whether the service is stopped for good: the host registers itself no more, and nothing is prepared on it. */
export function hasLeft({ leaving }: Pick<Journal, "leaving">): boolean {
  return leaving !== undefined && leaving.phase !== "starting";
}

export function leaveBegun(journal: Journal, { kind, who, why, bootId }: Of<"leave-begun">): Journal {
  assertAtRest(journal, kind);
  return { ...journal, leaving: { phase: "stopping", who, why, bootId } };
}

export function left(journal: Journal, { kind }: Of<"left">): Journal {
  const leaving = leavingIn(journal, kind, ["stopping"]);
  return { ...journal, leaving: { ...leaving, phase: "stopped" } };
}

export function returnBegun(journal: Journal, { kind }: Of<"return-begun">): Journal {
  const leaving = leavingIn(journal, kind, ["stopping", "stopped"]);
  const { attempt } = journal;
  if (attempt === null) return { ...journal, leaving: { ...leaving, phase: "starting" } };
  // Whoever took it down on purpose wants it up again: the wish has yet to be served.
  const { served: _, ...unserved } = attempt;
  return { ...journal, leaving: { ...leaving, phase: "starting" }, attempt: unserved };
}

export function returned(journal: Journal, { kind, restarted }: Of<"returned">): Journal {
  leavingIn(journal, kind, ["starting"]);
  const { leaving: _, ...rest } = journal;
  return restarted === null ? rest : { ...rest, restarted };
}

function leavingIn(
  { activation, leaving }: Journal,
  kind: string,
  phases: readonly NonNullable<Journal["leaving"]>["phase"][],
): NonNullable<Journal["leaving"]> {
  if (activation !== null) throw illegal(kind, "an activation is under way");
  if (leaving === undefined) throw illegal(kind, "the host does not leave");
  if (!phases.includes(leaving.phase)) throw illegal(kind, `the service is ${leaving.phase}`);
  return leaving;
}

function assertAtRest({ activation }: Journal, kind: string): void {
  if (activation !== null) throw illegal(kind, "an activation is under way");
}
