import type { Role, Wish } from "../schema/znodes.ts";
import { reaches } from "./stages.ts";

/** What ZooKeeper wishes this host to serve for one service. */
export type Target =
  /** ZooKeeper has not been read yet: nothing may be concluded from that, not even that there is no wish. */
  { kind: "unknown" } | { kind: "none" } | { kind: "build"; build: string; deploy: string };

export interface Wishes {
  readonly enabled: Wish | null;
  readonly canary: Wish | null;
}

/** A host as wishes are about it. */
export interface Subject {
  readonly host: string;
  readonly role: Role;
  readonly zone?: string | undefined;
}

/** The deploys whose builds hosts are brought to by these wishes, that of the hosts which no stage has reached included. */
export function deploysIn({ enabled, canary }: Wishes): Set<string> {
  const named = [enabled, canary].flatMap((wish) => [wish?.deploy, wish?.before?.deploy]);
  return new Set(named.filter((id) => id !== undefined));
}

/** The wish that counts for a host of this role: canary hosts follow `enabled/canary` and, where there is none, `enabled`. */
export function wishFor(role: Role, wishes: Wishes): Wish | null {
  return (role === "canary" ? wishes.canary : null) ?? wishes.enabled;
}

/**
 * What a host should serve. A wish that names no deploy was written by hand; until the conductor has made a deploy record
 * for it there is no slot to ask for, so the host does not prepare yet. A host that no stage of the deploy has reached
 * serves what was there before, also one that has just joined.
 */
export function targetFor(subject: Subject, wishes: Wishes): Target {
  const wish = wishFor(subject.role, wishes);
  if (wish?.deploy === undefined) return { kind: "none" };
  if (isReached(subject, wish, wish.deploy)) return { kind: "build", build: wish.build, deploy: wish.deploy };
  const { before = null } = wish;
  return before === null ? { kind: "none" } : { kind: "build", build: before.build, deploy: before.deploy };
}

/** What a host should have ready beside what it serves: the build of a deploy whose stages have not reached it yet. */
export function nextFor(subject: Subject, wishes: Wishes): { readonly build: string; readonly deploy: string } | null {
  const wish = wishFor(subject.role, wishes);
  if (wish?.deploy === undefined || isReached(subject, wish, wish.deploy)) return null;
  return { build: wish.build, deploy: wish.deploy };
}

/** Canary hosts are reached by every deploy to the fleet from its beginning. */
function isReached({ host, role, zone }: Subject, { reach }: Wish, deploy: string): boolean {
  return reach === undefined || role === "canary" || reaches(reach, deploy, host, zone);
}
