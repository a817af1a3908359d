import type { Role, Wish } from "../schema/znodes.ts";

/** What ZooKeeper wishes this host to serve for one service. */
export type Target =
  /** ZooKeeper has not been read yet: nothing may be concluded from that, not even that there is no wish. */
  { kind: "unknown" } | { kind: "none" } | { kind: "build"; build: string; deploy: string };

export interface Wishes {
  readonly enabled: Wish | null;
  readonly canary: Wish | null;
}

/** The wish that counts for a host of this role: canary hosts follow `enabled/canary` and, where there is none, `enabled`. */
export function wishFor(role: Role, wishes: Wishes): Wish | null {
  return (role === "canary" ? wishes.canary : null) ?? wishes.enabled;
}

/**
 * What a host of this role should serve. A wish that names no deploy was written by hand; until the conductor has made a
 * deploy record for it there is no gate to request a slot from, so the host does not prepare yet.
 */
export function targetFor(role: Role, wishes: Wishes): Target {
  const wish = wishFor(role, wishes);
  if (wish?.deploy === undefined) return { kind: "none" };
  return { kind: "build", build: wish.build, deploy: wish.deploy };
}
