import { expect, test } from "bun:test";
import { errorCode, errorNumber, isZooKeeperError, ZooKeeperError } from "../../src/zookeeper/errors.ts";

// Every number of `KeeperException.Code` in Apache ZooKeeper 3.9 but 0, which is no error.
const numbers = [
  -1, -2, -3, -4, -5, -6, -7, -8, -12, -13, -14, -100, -101, -102, -103, -108, -110, -111, -112, -113, -114, -115, -118,
  -119, -120, -121, -122, -123, -124, -125, -127,
];

test("every number of the server's has a code of its own, and back", () => {
  const codes = numbers.map((number) => errorCode(number));
  expect(codes).not.toContain("UNKNOWN_ERROR");
  expect(new Set(codes).size).toBe(numbers.length);
  for (const number of numbers) {
    const code = errorCode(number);
    const back = errorNumber(code as Parameters<typeof errorNumber>[0]);
    expect(back).toBe(number);
  }
});

test("a number that is not known is an error all the same", () => {
  expect(errorCode(-999)).toBe("UNKNOWN_ERROR");
});

test("an error says what was tried, where, and what became of it", () => {
  const error = new ZooKeeperError({ code: "CONNECTION_LOSS", operation: "set", path: "/a", outcome: "unknown" });
  expect(error.message).toBe(
    "ZooKeeper set /a failed with CONNECTION_LOSS; whether the write was applied is not known",
  );
  expect([isZooKeeperError(error, "CONNECTION_LOSS"), isZooKeeperError(error, "NO_NODE")]).toEqual([true, false]);
});
