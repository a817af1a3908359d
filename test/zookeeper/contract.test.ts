import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { observe } from "./contract/contract.ts";
import { contractCases } from "./contract/list.ts";
import { targets, type Target } from "./contract/targets.ts";

// One list for all: what one server does differently from the others is a failure of one of them.
describe.each(targets.map((each) => [each.name, each] as const))("with %s", (_name, { start }) => {
  let target: Target;

  beforeAll(async () => {
    target = await start();
  }, 60_000);

  afterAll(async () => {
    await target[Symbol.asyncDispose]();
  });

  test.each(contractCases.map((each, index) => [each.name, each, index] as const))(
    "%s",
    async (_case, contractCase, index) => {
      expect(await observe(contractCase, target, `/case-${index}`, index)).toEqual(contractCase.expected);
    },
    60_000,
  );
});

test("there are at least 150 cases, each with a name of its own", () => {
  expect(new Set(contractCases.map((each) => each.name)).size).toBe(contractCases.length);
  expect(contractCases.length).toBeGreaterThanOrEqual(150);
});
