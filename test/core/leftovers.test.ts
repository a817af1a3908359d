import { expect, test } from "bun:test";
import { leftoversOf } from "../../src/core/leftovers.ts";

const process = (pid: number, parent: number, release: string | null) => ({ pid, parent, release });

test("whoever runs another build is left over, and who shows none is not", () => {
  const all = [process(10, 1, "v1"), process(11, 10, "v1"), process(12, 1, "v2"), process(13, 1, null)];
  expect(leftoversOf(all, "v2", [])).toEqual([
    { pid: 10, build: "v1" },
    { pid: 11, build: "v1" },
  ]);
});

test("a master whose children run the build stays by design, and so does what the supervisor names", () => {
  const all = [process(9, 1, "v1"), process(10, 9, "v1"), process(11, 10, "v1"), process(12, 10, "v2")];
  expect(leftoversOf(all, "v2", [])).toEqual([{ pid: 11, build: "v1" }]);
  expect(leftoversOf(all, "v2", [11])).toEqual([]);
});
