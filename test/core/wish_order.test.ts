import { describe, expect, test } from "bun:test";
import {
  isFromBefore,
  isOlder,
  nextNumber,
  nothingFollowed,
  wishNode,
  type Followed,
  type WishNode,
} from "../../src/core/wish_order.ts";
import { HIGHEST_WISH_NUMBER } from "../../src/schema/znodes.ts";

const wish = (number?: number) => ({
  build: "v1",
  deploy: "20270101-000000-0001",
  ...(number === undefined ? {} : { number }),
});
const followed = { enabled: 5, canary: 7 };

/** As a host comes to it: what the wish alone does not tell, the tree's newest number does. */
function heldBy(node: WishNode, number: number | undefined, newest: number, by: Followed = followed): boolean {
  const older = isOlder(node, wish(number), by);
  return older === "unsure" ? isFromBefore(newest, by) : older;
}

describe("a wish of the fleet", () => {
  test.each([
    ["the one that is followed", 5, 7, false],
    ["a newer one", 8, 8, false],
    ["one from before it", 4, 8, true],
    ["one without a number", undefined, 8, true],
    ["the one from before the canary's, in a tree that knows of the canary's", 5, 8, false],
    ["the one from before the canary's, in a tree from before that", 5, 6, true],
    ["a new one, in a tree that has no newer", 6, 6, true],
  ] as const)("%s", (_what, number, newest, older) => {
    expect(heldBy("enabled", number, newest)).toBe(older);
  });
});

test("a canary's wish is older than one of canaries, and with its tree than one of the fleet", () => {
  expect(heldBy("canary", 7, 7)).toBe(false);
  expect(heldBy("canary", 6, 9)).toBe(true);
  expect(heldBy("canary", 6, 9, { enabled: 9, canary: 0 })).toBe(false);
  expect(heldBy("canary", 6, 8, { enabled: 9, canary: 0 })).toBe(true);
});

test("a host that has followed nothing with a number follows anything", () => {
  for (const number of [undefined, 0, 1]) expect(isOlder("enabled", wish(number), nothingFollowed)).toBe(false);
});

test("the next number is higher than any in the tree and any that was followed", () => {
  expect(nextNumber(0)).toBe(1);
  expect(nextNumber(4, [2, 9, 3])).toBe(10);
  expect(nextNumber(4, [2])).toBe(5);
  expect(nextNumber(HIGHEST_WISH_NUMBER - 1, [2])).toBe(HIGHEST_WISH_NUMBER);
  expect(nextNumber(4, [HIGHEST_WISH_NUMBER])).toBe(HIGHEST_WISH_NUMBER);
});

test("hosts take the wish from the node of their role, and from the fleet's where theirs has none", () => {
  const wishes = { enabled: wish(5), canary: wish(7) };
  expect(wishNode("fleet", wishes)).toBe("enabled");
  expect(wishNode("canary", wishes)).toBe("canary");
  expect(wishNode("canary", { ...wishes, canary: null })).toBe("enabled");
});
