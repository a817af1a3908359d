import { expect, test } from "bun:test";
import { codeOf, readSources, type Source } from "./sources.ts";

/** One concept a file; whoever needs more says why in the file's first lines. */
const MAX_LINES = 300;
const REASON = /long because/i;

function sizeProblems(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const lines = text.split("\n").length - 1;
    const excused = REASON.test(text.split("\n").slice(0, 15).join("\n"));
    return lines <= MAX_LINES || excused ? [] : [`${path} has ${lines} lines`];
  });
}

const forbidden: readonly (readonly [RegExp, string])[] = [
  [/\b(TODO|FIXME|XXX|HACK)\b/, "a note to oneself"],
  [/\/home\/[a-z]|\/Users\/|\/work\/|\/root\//, "a path of somebody's machine"],
  [/\bissue\s+#?\d+/i, "a number of an issue"],
  [/@ts-(ignore|nocheck|expect-error)|oxlint-disable|eslint-disable/, "a silenced check"],
];
const forbiddenInCode: readonly (readonly [RegExp, string])[] = [
  [/\bconsole\.\w+\(/, "a leftover print"],
  [/\bdebugger\b/, "a breakpoint"],
];

function wordProblems(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => [
    ...forbidden.filter(([pattern]) => pattern.test(text)).map(([, what]) => `${path} has ${what}`),
    ...forbiddenInCode.filter(([pattern]) => pattern.test(codeOf(text))).map(([, what]) => `${path} has ${what}`),
  ]);
}

const sources = await readSources();

test("no source is longer than one can keep in mind", () => {
  expect(sizeProblems(sources)).toEqual([]);
});

test("no source holds leftovers", () => {
  expect(wordProblems(sources)).toEqual([]);
});

test("a file that is too long is found, unless it says why", () => {
  const text = "x\n".repeat(MAX_LINES + 1);
  expect(sizeProblems([{ path: "a.ts", text }])).toEqual([`a.ts has ${MAX_LINES + 1} lines`]);
  expect(sizeProblems([{ path: "a.ts", text: `/* Long because it is one table. */\n${text}` }])).toEqual([]);
  expect(sizeProblems([{ path: "a.ts", text: "x\n".repeat(MAX_LINES) }])).toEqual([]);
});

test.each([
  ["// TODO: later", "a note to oneself"],
  ['const path = "/home/me/x";', "a path of somebody's machine"],
  ["console.log(1);", "a leftover print"],
  ["// @ts-ignore", "a silenced check"],
])("found: %s", (text, what) => {
  expect(wordProblems([{ path: "a.ts", text }])).toEqual([`a.ts has ${what}`]);
});
