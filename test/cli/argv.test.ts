import { expect, test } from "bun:test";
import { readArgv, wantsJson } from "../../src/cli/argv.ts";
import { verbsFor } from "../../src/verbs.ts";

const verbs = await verbsFor([]);

function wordsOf(...argv: readonly string[]): readonly string[] {
  const { words, problem } = readArgv(verbs, argv);
  expect(problem).toBeNull();
  return words;
}

test("flags before the verb come behind it, with their values", () => {
  expect(wordsOf("--json", "--chroot", "/d", "ctl", "--why=x", "deploy", "web", "v1", "--max", "2")).toEqual([
    "ctl",
    "deploy",
    "--json",
    "--chroot",
    "/d",
    "--why=x",
    "web",
    "v1",
    "--max",
    "2",
  ]);
  expect(wordsOf("--build=v1", "pack", "web")).toEqual(["pack", "--build=v1", "web"]);
});

test("a value may be empty, have several lines, begin with a dash, or have a = in it", () => {
  expect(wordsOf("ctl", "abort", "web", "--why=")).toEqual(["ctl", "abort", "web", "--why", ""]);
  expect(wordsOf("ctl", "abort", "web", "--why=a\nb=c")).toEqual(["ctl", "abort", "web", "--why", "a\nb=c"]);
  expect(wordsOf("ctl", "abort", "web", "--why=--json")).toEqual(["ctl", "abort", "web", "--why=--json"]);
  expect(wordsOf("ctl", "deploy", "web", "v1", "--soak-s", "-1").slice(-2)).toEqual(["--soak-s", "-1"]);
  expect(wordsOf("ctl", "abort", "--why", "-")).toEqual(["ctl", "abort", "--why", "-"]);
});

test("a value that may be meant as a flag is refused, with how it is written", () => {
  const { problem } = readArgv(verbs, ["ctl", "abort", "web", "--why", "--json"]);
  expect(problem?.message).toBe(
    "The flag --why requires a value. A value that begins with a dash is written --why=--json.",
  );
});

test("behind -- all is an argument", () => {
  expect(wordsOf("pack", "--json", "--", "--build=", "-h")).toEqual(["pack", "--json", "--", "--build=", "-h"]);
  expect(readArgv(verbs, ["pack", "--", "--help"]).words).toEqual(["pack", "--", "--help"]);
});

test("help is asked for before anything is refused, but for a verb that is not there", () => {
  expect(wordsOf("ctl", "deploy", "--cannary", "--help")).toEqual(["ctl", "deploy", "--help"]);
  expect(wordsOf("--json", "ctl", "-h")).toEqual(["ctl", "--help"]);
  expect(readArgv(verbs, ["agnet", "--help"]).problem?.message).toContain('"agent"');
});

test.each([
  [["--json"], true],
  [["pack", "--json=yes"], true],
  [["pack", "--json="], true],
  [["pack", "--json=false"], false],
  [["pack", "--why=--json"], false],
  [["pack", "--", "--json"], false],
  [["pack", "--jsons"], false],
])("%p is asked in JSON: %p", (argv, expected) => {
  expect(wantsJson(argv)).toBe(expected);
});
