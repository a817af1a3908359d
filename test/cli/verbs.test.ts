import { describe, expect, test } from "bun:test";
import { flagsOf, routesOf } from "../../src/cli/routes.ts";
import { verbsFor } from "../../src/verbs.ts";
import { expectGolden } from "../harness/golden.ts";
import { argumentsOf, everyVerb, say } from "./lines.ts";

const verbs = await verbsFor([]);

/* What holds for every verb of the binary, as it stands in its tree: a new verb is held to it by being there. */

test("the tree has the verbs that the binary had", () => {
  const named = everyVerb.map(({ route }) => route.slice(1).join(" "));
  for (const verb of ["agent", "ctl deploy", "ctl builds add", "pack", "doctor", "dev", "version", "help"]) {
    expect(named).toContain(verb);
  }
  expect(named).not.toContain("sample-service");
});

describe.each(everyVerb.map(({ route, verb }) => [route.join(" "), route, verb] as const))(
  "%s",
  (name, route, verb) => {
    const words = route.slice(1);
    const flags = [...flagsOf(verb), { flag: "--help", value: null, brief: "" }];

    test("answers each flag that is misspelt with the right one, and ends with 64", async () => {
      for (const { flag } of flags) {
        for (const slip of slipsOf(flag)) {
          const stderr = `deployd: There is no flag ${slip} of "${name}". Did you mean ${flag}?\n  See: ${name} --help\n`;
          const told = { code: 64, stdout: "", stderr };
          expect(await say(...words, slip)).toEqual(told);
          expect(await say(...words, ...argumentsOf(verb), `${slip}=x`)).toEqual(told);
        }
      }
    });

    test("with --json answers a wrong flag in JSON, wherever that stands", async () => {
      const lines = [
        [...words, "--no-such-flag-here", "--json"],
        [...words, "--json", ...argumentsOf(verb), "--no-such-flag-here"],
        ["--json", ...words, "--no-such-flag-here"],
        [...words, "--no-such-flag-here=x", "--json=true"],
      ];
      for (const line of lines) {
        const { code, stdout } = await say(...line);
        expect({ line, code, answer: JSON.parse(stdout) as unknown }).toMatchObject({
          line,
          code: 64,
          answer: { error: { code: "usage", message: expect.any(String), hint: `See: ${name} --help` } },
        });
      }
    });

    test("takes a value behind a blank and behind a =, before and after the arguments and the verb", async () => {
      const given = argumentsOf(verb);
      // No name, no number, no file and no server: where it is read, that is told.
      const wrong = "?!/x";
      for (const { flag } of flags.filter(({ value }) => value !== null)) {
        const wanted = await say(...words, ...given, flag, wrong);
        expect(wanted.code).toBeGreaterThan(0);
        expect(await say(...words, ...given, `${flag}=${wrong}`)).toEqual(wanted);
        expect(await say(...words, flag, wrong, ...given)).toEqual(wanted);
        expect(await say(...words, `${flag}=${wrong}`, ...given)).toEqual(wanted);
        expect(await say(flag, wrong, ...words, ...given)).toEqual(wanted);
        expect(await say(`${flag}=${wrong}`, ...words, ...given)).toEqual(wanted);
        const missing = `deployd: The flag ${flag} requires a value.`;
        for (const line of [
          [...words, ...given, flag],
          [...words, ...given, flag, "--json"],
        ]) {
          expect(await say(...line)).toMatchObject({ code: 64, stderr: expect.stringContaining(missing) });
        }
      }
    });

    test("takes no argument too many, and misses those that are missing", async () => {
      const given = argumentsOf(verb);
      const positional = verb.parameters.positional;
      const most = positional?.kind === "tuple" ? positional.parameters.length : 0;
      const many = await say(...words, ...Array.from({ length: most }, () => "x"), "too-much");
      expect(many).toMatchObject({ code: 64, stderr: expect.stringContaining('from "too-much" on') });
      if (given.length > 0) {
        expect(await say(...words, "--json")).toMatchObject({
          code: 64,
          stdout: expect.stringMatching(/argument <.*> is missing/),
        });
      }
    });

    test("has a --help with its usage, an example, its exit codes, and each flag with its default", async () => {
      for (const line of [
        [...words, "--help"],
        [...words, "-h"],
        [...words, "--no-such-flag", "--help"],
      ]) {
        const { code, stdout, stderr } = await say(...line);
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        expect(stdout).toStartWith(`USAGE\n  ${name}`);
        expect(stdout).toMatch(new RegExp(`^EXAMPLES?\n  ${name}`, "m"));
        expect(stdout).toMatch(/^EXIT CODES\n {2}0 {4}\S.*\n(?: {2}\d.*\n)* {2}64 {3}\S/m);
        expect(stdout).toMatch(/^ {2}-h, --help {2,}\S/m);
        for (const { flag, value } of flagsOf(verb)) {
          const row = value === null ? `  ${flag} {2,}\\S` : `  ${flag} <${value}> {2,}\\S.*\\(default: .+\\)$`;
          expect(stdout).toMatch(new RegExp(`^${row}`, "m"));
        }
      }
    });
  },
);

/** Each slip of one finger: a letter left out, typed twice, or before its neighbour. */
function slipsOf(flag: string): string[] {
  const letters = flag.slice(2).split("");
  const slips = letters.flatMap((letter, at) => {
    const [before, after] = [letters.slice(0, at), letters.slice(at + 1)];
    const [next, ...others] = after;
    return [
      [...before, ...after],
      [...before, letter, letter, ...after],
      ...(next === undefined ? [] : [[...before, next, letter, ...others]]),
    ];
  });
  const known = new Set(everyVerb.flatMap(({ verb }) => flagsOf(verb).map((each) => each.flag)));
  return slips.map((slip) => `--${slip.join("")}`).filter((slip) => slip !== flag && !known.has(slip));
}

test("a verb that is misspelt is answered with the right one, wherever it stands", async () => {
  for (const { route } of routesOf(verbs)) {
    const before = route.slice(1, -1);
    const name = route.at(-1) ?? "";
    const slip = `${name}${name.slice(-1)}`;
    const { code, stderr } = await say(...before, slip);
    expect({ code, stderr }).toEqual({
      code: 64,
      stderr: `deployd: There is no verb "${slip}"${before.length === 0 ? "" : ` of "deployd ${before.join(" ")}"`}. Did you mean "${name}"?\n  See: ${["deployd", ...before, "--help"].join(" ")}\n`,
    });
  }
});

test("of a verb that is named no other is loaded, and of a word that names none all are", async () => {
  const routes = async (...words: string[]) =>
    routesOf(await verbsFor(words)).map(({ route }) => route.slice(1).join(" "));
  const others = ["agent", "pack", "doctor", "dev", "version", "help"];
  expect((await routes("ctl", "hosts", "hold", "web", "h1")).toSorted()).toEqual(
    [...others, "ctl", "ctl hosts", "ctl hosts hold"].toSorted(),
  );
  expect((await routes("agent", "--config", "x")).toSorted()).toEqual(others.toSorted());
  const all = await routes();
  for (const words of [
    ["ctl"],
    ["ctl", "hosts"],
    ["ctl", "hosts", "deploy"],
    ["--json", "ctl", "status"],
    ["toString"],
  ])
    expect(await routes(...words)).toEqual(all);
});

test("a verb of another group is answered with where it is", async () => {
  expect((await say("deploy", "web", "v1")).stderr).toContain('Did you mean "deployd ctl deploy"?');
  expect((await say("ctl", "hosts", "deploy", "web")).stderr).toContain('Did you mean "deployd ctl deploy"?');
  expect((await say("ctl", "pack", "./web")).stderr).toContain('Did you mean "deployd pack"?');
  expect((await say("sampl-service")).stderr).not.toContain("sample-service");
});

test("a flag that is required is missed", async () => {
  expect(await say("sample-service", "--port", "1", "--release", ".")).toMatchObject({
    code: 64,
    stderr: "deployd: The flag --pid-file is missing.\n  See: deployd sample-service --help\n",
  });
});

test("what every object has is no verb and no flag", async () => {
  for (const name of ["constructor", "toString", "hasOwnProperty", "__proto__"]) {
    for (const line of [
      [name],
      ["ctl", name],
      [`--${name}`],
      ["ctl", "status", `--${name}`],
      ["ctl", "builds", name],
    ]) {
      expect(await say(...line)).toMatchObject({
        code: 64,
        stdout: "",
        stderr: expect.stringContaining("There is no"),
      });
    }
  }
});

test("a flag takes a value with every verb that has it, or with none", () => {
  const kinds = new Map<string, Set<boolean>>();
  for (const { flag, value } of everyVerb.flatMap(({ verb }) => flagsOf(verb))) {
    kinds.set(flag, (kinds.get(flag) ?? new Set()).add(value !== null));
  }
  expect([...kinds].filter(([, kind]) => kind.size > 1)).toEqual([]);
});

describe("the program alone", () => {
  test("says what there is: when it is asked, on stdout; else on stderr, with 64", async () => {
    const { stdout } = await say("--help");
    await expectGolden("overview", stdout, "cli");
    expect(await say("-h")).toEqual({ code: 0, stdout, stderr: "" });
    expect(await say("help")).toEqual({ code: 0, stdout, stderr: "" });
    expect(await say()).toEqual({ code: 64, stdout: "", stderr: stdout });
  });

  test("says its version", async () => {
    for (const word of ["version", "--version", "-V"]) {
      expect(await say(word)).toEqual({ code: 0, stdout: "deployd 0.1.0\n", stderr: "" });
    }
  });

  test("prints a page of the manual, and the nearest one's name where there is none", async () => {
    expect((await say("help", "recipe")).stdout).toContain("# ");
    expect(await say("help", "recip")).toMatchObject({ code: 64, stderr: expect.stringContaining('"recipe"') });
  });

  test("asks for a verb where flags stand alone", async () => {
    expect(await say("--json")).toMatchObject({ code: 64, stdout: expect.stringContaining("No verb is named") });
    expect(await say("--versoin")).toMatchObject({
      code: 64,
      stderr: expect.stringContaining("Did you mean --version?"),
    });
    expect(await say("--jsno", "pack")).toMatchObject({
      code: 64,
      stderr: expect.stringContaining("Did you mean --json?"),
    });
  });
});

test.each(["agent", "pack", "doctor", "dev", "version", "help"])(
  "the --help of %s is what the golden file says",
  async (verb) => {
    await expectGolden(`help-${verb}`, (await say(verb, "--help")).stdout, "cli");
  },
);
