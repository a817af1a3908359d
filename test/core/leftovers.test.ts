import { expect, test } from "bun:test";
import { leftoversOf } from "../../src/core/leftovers.ts";

const process = (pid: number, parent: number, release: string | null) => ({
  pid,
  parent,
  release,
  startTicks: 10 * pid,
});

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

test("one that shows no release is known by the restart that it was there after, where restarts end all of them", () => {
  const all = [process(10, 1, null), process(11, 1, "v2"), process(12, 1, null)];
  const former = {
    build: "v1",
    processes: [
      { pid: 10, startTicks: 100 },
      { pid: 12, startTicks: 7 },
    ],
  };
  expect(leftoversOf(all, "v2", [], former)).toEqual([{ pid: 10, build: "v1" }]);
  expect(leftoversOf(all, "v1", [], former)).toEqual([{ pid: 11, build: "v2" }]);
  expect(leftoversOf(all, "v2", [])).toEqual([]);
});
