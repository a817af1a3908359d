import { expect, test } from "bun:test";
import { codeOf, importsOf, readSources, type Source } from "./sources.ts";

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

/** A file of fewer lines that only one other imports belongs into that one. */
const MIN_LINES = 15;
/** Unless there is a reason. */
const ALONE: Readonly<Record<string, string>> = {
  "version.ts": "it is rewritten when the binary is built",
  "help/markdown.d.ts": "it tells the compiler what an import of a manual page is; nobody imports it",
  "page/assets/assets.d.ts": "it tells the compiler the same of what a browser is sent",
};

function crumbs(sources: readonly Source[]): string[] {
  const readers = new Map<string, Set<string>>();
  for (const source of sources) {
    for (const { target } of importsOf(source)) {
      if (target !== null) readers.set(target, (readers.get(target) ?? new Set()).add(source.path));
    }
  }
  return sources.flatMap(({ path, text }) => {
    const lines = text.split("\n").length - 1;
    const [reader, ...more] = readers.get(path) ?? [];
    if (lines >= MIN_LINES || more.length > 0 || path in ALONE) return [];
    return [`${path} has ${lines} lines, and ${reader ?? "nobody"} alone imports it`];
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

test("no source is a crumb of the only one that reads it", () => {
  expect(crumbs(sources)).toEqual([]);
});

test("a source that is excused for its size is there", () => {
  expect(Object.keys(ALONE).filter((path) => !sources.some((source) => source.path === path))).toEqual([]);
});

test("a crumb is found, and none where two read it or it is long enough", () => {
  const crumb = { path: "core/a.ts", text: "x\n" };
  const reader = (path: string) => ({ path, text: `import "./a.ts";\n${"x\n".repeat(MIN_LINES)}` });
  const [one, other] = [reader("core/b.ts"), reader("core/c.ts")];
  const whole = { path: "core/a.ts", text: "x\n".repeat(MIN_LINES) };
  expect(crumbs([crumb, one])).toEqual(["core/a.ts has 1 lines, and core/b.ts alone imports it"]);
  expect(crumbs([crumb, one, other])).toEqual([]);
  expect(crumbs([whole, one])).toEqual([]);
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
