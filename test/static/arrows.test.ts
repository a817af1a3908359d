import { expect, test } from "bun:test";
import { arrowProblems, clockProblems, processProblems, purityProblems } from "./arrows.ts";
import { importsOf, readSources } from "./sources.ts";

const sources = await readSources();

test("every layer imports only what stands left of it", () => {
  expect(arrowProblems(sources)).toEqual([]);
});

test("core and schema compute and nothing else", () => {
  expect(purityProblems(sources)).toEqual([]);
});

test("only main.ts touches arguments, environment, exit codes and signals", () => {
  expect(processProblems(sources)).toEqual([]);
});

test("only the clock asks the runtime for time and chance", () => {
  expect(clockProblems(sources)).toEqual([]);
});

test.each([
  "const at = Date.now();",
  "const at = new Date();",
  "const at = performance.now();",
  "const at = process.hrtime.bigint();",
  "const at = Bun.nanoseconds();",
  "setTimeout(work, 5);",
  "const timer = setInterval(work, 5);",
  "setImmediate(work);",
  'import { setTimeout as sleep } from "node:timers/promises";',
  "const signal = AbortSignal.timeout(5);",
  "await Bun.sleep(5);",
  "const die = Math.random();",
  'import { randomBytes } from "node:crypto";',
  "const id = crypto.randomUUID();",
  "const id = crypto.randomBytes(8);",
  "const at = new Date;",
  "globalThis.setTimeout(work, 5);",
  "crypto.getRandomValues(bytes);",
  'import { systemClock } from "../support/clock.ts";',
])("asking for time or chance is found: %s", (text) => {
  expect(clockProblems([{ path: "store/a.ts", text }])).not.toEqual([]);
});

test("a clock that was handed in is asked freely", () => {
  const text = "const at = clock.now(); const id = clock.randomBytes(4); clock.after(5, work); new Date(clock.now());";
  expect(clockProblems([{ path: "store/a.ts", text }])).toEqual([]);
});

test("the sources were really read", () => {
  expect(sources.map(({ path }) => path)).toContain("core/plan.ts");
  expect(sources.map(({ path }) => path)).toContain("main.ts");
  expect(importsOf(sources.find(({ path }) => path === "core/plan.ts") ?? { path: "", text: "" })).not.toEqual([]);
});

test.each([
  ["an import of a layer to the right", 'import { x } from "../store/gate.ts";'],
  ["an import of a type", 'import type { X } from "../store/gate.ts";'],
  ["an import over several lines", 'import {\n  x,\n} from "../store/gate.ts";'],
  ["a re-export", 'export { x } from "../store/gate.ts";'],
  ["a re-export of everything", "export * from '../store/gate.ts';"],
  ["an import at run time", 'const x = import("../store/gate.ts");'],
  ["an import for its effects", 'import "../store/gate.ts";'],
])("%s is found", (_what, text) => {
  expect(arrowProblems([{ path: "core/plan.ts", text }])).toEqual([
    "core/plan.ts imports store/gate.ts: core may not know store",
  ]);
});

test("a sibling, a layer nobody has heard of and a file outside src are found", () => {
  const found = arrowProblems([
    { path: "fetch/a.ts", text: 'import "../probe/b.ts";' },
    { path: "helpers/a.ts", text: "" },
    { path: "zookeeper/a.ts", text: 'import "../core/errors.ts";' },
    { path: "core/a.ts", text: 'import "../../test/support/x.ts";' },
  ]);
  expect(found).toHaveLength(4);
});

test("what only stands in a comment is no import", () => {
  expect(
    arrowProblems([{ path: "core/a.ts", text: '// from "../store/gate.ts"\n/* import "../store/x.ts" */' }]),
  ).toEqual([]);
});

test.each([
  ["export async function x() {}", "core/a.ts is async"],
  ["const now = Date.now();", "core/a.ts reads the clock"],
  ["const now = new Date();", "core/a.ts reads the clock"],
  ["const die = Math.random();", "core/a.ts draws random numbers"],
  ['import { readFileSync } from "node:fs";', "core/a.ts imports node:fs"],
  ["const x = process.env;", "core/a.ts touches the world"],
])("impure: %s", (text, problem) => {
  expect(purityProblems([{ path: "core/a.ts", text }])).toContain(problem);
});

test.each(["schema/a.ts", "view/a.ts"])("what is beside core is as pure: %s", (path) => {
  expect(purityProblems([{ path, text: "export async function x() {}" }])).toEqual([`${path} is async`]);
});

test("a time that came in as a value is pure", () => {
  expect(purityProblems([{ path: "core/a.ts", text: "const text = new Date(facts.sinceMs).toISOString();" }])).toEqual(
    [],
  );
});

test("an environment read in passing is found", () => {
  expect(processProblems([{ path: "store/a.ts", text: 'const x = process.env["HOME"];' }])).toEqual([
    "store/a.ts touches process.env; only main.ts does",
  ]);
  expect(processProblems([{ path: "agent/a.ts", text: "process.exit(1);" }])).toHaveLength(1);
});
