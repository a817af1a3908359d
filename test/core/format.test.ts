import { expect, test } from "bun:test";
import { assertAllSpeak, formatProblem, SPEAKS } from "../../src/core/format.ts";

test("a tree of this format is understood", () => {
  expect(formatProblem(SPEAKS, "1.2.3")).toBeNull();
});

test("an older one is refused by name, with what is spoken here and what to do", () => {
  const problem = formatProblem(SPEAKS - 1, "1.2.3");
  expect(problem).toMatchObject({ code: "format-unknown", retry: false });
  expect(problem?.message).toContain(`format ${SPEAKS - 1}`);
  expect(problem?.message).toContain("deployd 1.2.3");
  expect(problem?.message).toContain(`none older than ${SPEAKS}`);
  expect(problem?.hint).toMatch(/another chroot.*remove the tree.*changed nothing/);
});

test("a newer one is refused by name, with what is spoken here and what to do", () => {
  const problem = formatProblem(SPEAKS + 1, "1.2.3");
  expect(problem).toMatchObject({ code: "format-unknown", retry: false });
  expect(problem?.message).toContain(`format ${SPEAKS + 1}`);
  expect(problem?.message).toContain("deployd 1.2.3");
  expect(problem?.message).toContain(`none newer than ${SPEAKS}`);
  expect(problem?.hint).toContain("newer deployd");
});

test("the format is raised only when every agent that is connected speaks it, and those that do not are named", () => {
  const agent = (speaks: number) => ({ version: `0.${speaks}.0`, speaks });
  expect(() =>
    assertAllSpeak(
      2,
      new Map([
        ["a", agent(2)],
        ["b", agent(3)],
      ]),
    ),
  ).not.toThrow();
  expect(() => assertAllSpeak(2, new Map())).not.toThrow();
  const behind = new Map([
    ["c", agent(1)],
    ["b", agent(2)],
    ["a", agent(1)],
  ]);
  expect(() => assertAllSpeak(2, behind)).toThrow(
    /format of the tree to 2.*: a \(0\.1\.0, speaks 1\), c \(0\.1\.0, speaks 1\)\.$/,
  );
  const many = new Map(Array.from({ length: 9 }, (_, index) => [`h${index}`, agent(1)] as const));
  expect(() => assertAllSpeak(2, many)).toThrow(/h4 \(0\.1\.0, speaks 1\) and 4 more/);
});
