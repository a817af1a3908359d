import { HIGHEST_WISH_NUMBER, type Role, type Wish } from "../schema/znodes.ts";
import { wishFor, type Wishes } from "./targets.ts";

/*
 * Every wish has a number, one more than that of the wish before it in the whole service, whichever node it is in. A tree
 * that was put back from a backup wishes again what hosts have left behind them, with the numbers of that time: that is
 * how they tell it from a rollback, which is a new wish (docs/adr/0018).
 */

/** The nodes that wishes are in. */
export type WishNode = "enabled" | "canary";

/** The highest numbers that a host has followed, by node; 0 where it followed none. */
export type Followed = Readonly<Record<WishNode, number>>;

export const nothingFollowed: Followed = { enabled: 0, canary: 0 };

/** The node whose wish counts for a host of this role. */
export function wishNode(role: Role, wishes: Wishes): WishNode {
  return wishFor(role, wishes) === wishes.enabled ? "enabled" : "canary";
}

/** One that was written by hand with its deploy, and without a number, is older than any that has one. */
export function numberOf(wish: Wish): number {
  return wish.number ?? 0;
}

/**
 * Whether a wish is older than what the host has followed, so that it needs a person's word; "unsure" where only the newest
 * number in the tree can tell. A canary host goes from its own wish to the fleet's older one when a deploy is called off, and
 * any host between the two when its role changes: that the tree knows of the newer one says that it is no backup.
 */
export function isOlder(node: WishNode, wish: Wish, followed: Followed): boolean | "unsure" {
  const number = numberOf(wish);
  if (number < followed[node]) return true;
  return number < highestOf(followed) ? "unsure" : false;
}

/** Whether the tree, whose newest wish has this number, is from before what the host has followed. */
export function isFromBefore(newest: number, followed: Followed): boolean {
  return newest < highestOf(followed);
}

export function highestOf({ enabled, canary }: Followed): number {
  return Math.max(enabled, canary);
}

/**
 * The number of the next wish, higher than any in the tree and any that the hosts have followed. After the highest, to which
 * only a hand comes, it is that again: a wish of the same number is followed, one that nobody can read would not be.
 */
export function nextNumber(newest: number, followed: Iterable<number> = []): number {
  let highest = newest;
  for (const number of followed) highest = Math.max(highest, number);
  return Math.min(highest + 1, HIGHEST_WISH_NUMBER);
}
