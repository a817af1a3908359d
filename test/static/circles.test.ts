import { expect, test } from "bun:test";
import { importCircles } from "./circles.ts";
import { readSources, type Source } from "./sources.ts";

const importing = (path: string, ...imports: readonly string[]): Source => ({
  path,
  text: imports.map((each) => `import type { X } from "./${each}";\n`).join(""),
});

test("no files import one another in a circle", async () => {
  expect(importCircles(await readSources())).toEqual([]);
});

test("a circle of types is found, however long, and each once", () => {
  const sources = [
    importing("a.ts", "b.ts"),
    importing("b.ts", "c.ts"),
    importing("c.ts", "a.ts", "d.ts"),
    importing("d.ts", "e.ts"),
    importing("e.ts"),
    importing("x.ts", "y.ts", "a.ts"),
    importing("y.ts", "x.ts"),
  ];
  expect(importCircles(sources)).toEqual([
    ["a.ts", "b.ts", "c.ts"],
    ["x.ts", "y.ts"],
  ]);
});

test("a file that imports itself is found, and two ways to one file are none", () => {
  expect(importCircles([importing("a.ts", "a.ts")])).toEqual([["a.ts"]]);
  expect(
    importCircles([importing("a.ts", "b.ts", "c.ts"), importing("b.ts", "d.ts"), importing("c.ts", "d.ts")]),
  ).toEqual([]);
});
