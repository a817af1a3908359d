import { illegal } from "./journal_origin.ts";
import type { Journal } from "../schema/journal.ts";
import type { Failure, HostStatus, Slot } from "../schema/znodes.ts";
import { highestOf, nothingFollowed, type Followed } from "./wish_order.ts";

/*
 * A machine may come back under its name with an empty disk, or with an older one, and two machines may have had one name in
 * turn. Its numbers must not begin again: a slot or a failure of its former life would be taken for one of this life.
 */

type Former = NonNullable<Journal["former"]>;

/** ZooKeeper tells of a life of this host that its journal knows nothing of. */
export type FormerEvent = { readonly kind: "outlived" } & Former;

/** The highest number that this host is known to have given to a wish; 0 where it has given none. */
export function lastAttempt({ attempt, former }: Pick<Journal, "attempt" | "former">): number {
  return Math.max(attempt?.number ?? 0, former?.attempt ?? 0);
}

/** What this host has followed, in this life and in former ones. */
export function followedBy({ followed, former }: Pick<Journal, "followed" | "former">): Followed {
  const known = followed ?? nothingFollowed;
  return former === undefined ? known : { ...known, former: former.followed };
}

/** Another life of this host has taken up a wish since: what the journal has taken up needs a number above that one. */
export function isOutlived({ attempt, former }: Pick<Journal, "attempt" | "former">): boolean {
  return attempt !== null && attempt.number < (former?.attempt ?? 0);
}

/** What ZooKeeper has of this host; null for what is not there. */
export interface FormerWords {
  readonly status: Pick<HostStatus, "attempt" | "followed" | "begun"> | null;
  readonly slot: Pick<Slot, "deploy" | "build" | "attempt"> | null;
  readonly failure: Pick<Failure, "deploy" | "build" | "attempt" | "healthy"> | null;
}

/** What the journal does not know of what ZooKeeper tells; null where it knows everything. */
export function outlivedBy(journal: Journal, { status, slot, failure }: FormerWords, atMs: number): FormerEvent | null {
  const attempt = Math.max(status?.attempt ?? 0, slot?.attempt ?? 0, failure?.attempt ?? 0);
  const followed = status?.followed ?? 0;
  if (attempt <= lastAttempt(journal) && followed <= highestOf(followedBy(journal))) return null;
  // Nobody knows what became of what it had begun by that slot; it may be told as a failure already.
  const begun = status?.begun === true && slot?.attempt === status.attempt ? slot : null;
  const held = begun ?? (failure?.healthy === false ? failure : null);
  const isLost = held !== null && held.attempt > lastAttempt(journal);
  const lost = isLost ? { deploy: held.deploy, build: held.build, attempt: held.attempt, atMs } : null;
  return { kind: "outlived", attempt, followed, lost };
}

/**
 * A host that serves nothing yet takes nothing away when it fails. One that served before it lost its disk still counts
 * as out of service.
 */
export function isWellEnough({ former }: Pick<Journal, "former">, health: HostStatus["health"]): boolean {
  return (former?.lost ?? null) === null ? health !== "unhealthy" : health === "healthy";
}

export function outlived(journal: Journal, { kind, attempt, followed, lost }: FormerEvent): Journal {
  const before = journal.former ?? { attempt: 0, followed: 0, lost: null };
  if (attempt <= lastAttempt(journal) && followed <= highestOf(followedBy(journal)))
    throw illegal(kind, `the journal knows of the numbers ${attempt} and ${followed}`);
  const former = {
    ...before,
    attempt: Math.max(attempt, before.attempt),
    followed: Math.max(followed, before.followed),
    lost: lost ?? before.lost,
  };
  return { ...journal, former };
}

/** Its service is proven: nobody has to hear any more of what was lost before. */
export function withNothingLost({ former }: Pick<Journal, "former">): Pick<Journal, "former"> {
  return former === undefined || former.lost === null ? {} : { former: { ...former, lost: null } };
}
