import { HIGHEST_WISH_NUMBER, type Role, type Wish } from "../schema/znodes.ts";
import { wishFor, type Wishes } from "./targets.ts";

/*
 * Every wish has a number: one more than that of the wish before it in the service, in whichever node that was. A tree
 * that was restored from a backup wishes again, with the numbers of its time, what the hosts have moved on from. The
 * number tells them this from a rollback, which is a new wish (docs/adr/0018).
 */

/** The nodes that wishes are in. */
export type WishNode = "enabled" | "canary";

/** The highest numbers that a host has followed, by node; 0 where it followed none. */
export type Followed = Readonly<Record<WishNode, number>> & {
  /** The highest that a former life of the host has followed, in whichever node. */
  readonly former?: number;
};

export const nothingFollowed: Followed = { enabled: 0, canary: 0 };

/** The node whose wish counts for a host of this role. */
export function wishNode(role: Role, wishes: Wishes): WishNode {
  return wishFor(role, wishes) === wishes.enabled ? "enabled" : "canary";
}

/** A wish that was written by hand with its deploy and without a number counts as older than any that has one. */
export function numberOf(wish: Wish): number {
  return wish.number ?? 0;
}

/**
 * Whether a wish is older than what the host has followed, so that a person has to confirm it; "unsure" where only the
 * newest number in the tree can tell. A canary host goes from its own wish to the fleet's older one when a deploy is
 * called off, and any host goes between the two when its role changes: a tree that knows the newer number is no backup.
 */
export function isOlder(node: WishNode, wish: Wish, followed: Followed): boolean | "unsure" {
  const number = numberOf(wish);
  if (number < followed[node]) return true;
  return number < highestOf(followed) ? "unsure" : false;
}

/** Whether the tree, whose newest wish has this number, is older than what the host has followed. */
export function isFromBefore(newest: number, followed: Followed): boolean {
  return newest < highestOf(followed);
}

export function highestOf({ enabled, canary, former = 0 }: Followed): number {
  return Math.max(enabled, canary, former);
}

/**
 * The number of the next wish, higher than any in the tree and any that the hosts have followed. The highest possible
 * number, which only an edit by hand reaches, is followed by itself: hosts follow a wish of the same number, but could
 * not read a higher one.
 */
export function nextNumber(newest: number, followed: Iterable<number> = []): number {
  let highest = newest;
  for (const number of followed) highest = Math.max(highest, number);
  return Math.min(highest + 1, HIGHEST_WISH_NUMBER);
}
