import type { DeployError } from "../core/errors.ts";
import {
  flagsForVerbs,
  flagsOf,
  HELP,
  isVerb,
  kebab,
  membersOf,
  PROGRAM,
  type Route,
  type VerbOrGroup,
} from "./routes.ts";
import { noSuchFlag, noSuchVerb, valueRequired, wrongWords } from "./usage_error.ts";
import type { Group } from "./verb.ts";

/** What a command line names, in the form that the parser takes. */
export interface Line {
  readonly route: Route;
  readonly target: VerbOrGroup;
  /**
   * The words that name the verb, its flags and its arguments. The parser takes the first word for the verb, so flags
   * that stand before the verb are moved behind it: `--json ctl status` becomes `ctl status --json`.
   */
  readonly words: readonly string[];
  /** What is wrong with the verb or its flags; the parser checks their values and the arguments. */
  readonly problem: DeployError | null;
}

/** Flags as they are typed, and whether each takes a value. */
type TakesValue = ReadonlyMap<string, boolean>;

/** @param argv without the program's name */
export function readArgv(root: Group, argv: readonly string[]): Line {
  const { route, target, early, rest } = walk(root, argv);
  const line = (words: readonly string[], problem: DeployError | null): Line => ({
    route,
    target,
    words: [...route.slice(1), ...words],
    problem,
  });
  if (isVerb(target)) {
    if (beforeEscape(rest).some(isHelp)) return line([HELP.flag], null);
    const takesValue = takesValueOf(target);
    const words = [...early, ...separated(rest, takesValue)];
    return line(words, flagProblem(route, target, takesValue, words));
  }
  const [word] = rest;
  if (word !== undefined && isHelp(word)) return line([HELP.flag], null);
  if (word !== undefined && isFlag(word)) return line([], noSuchFlag(route, target, word));
  if (word !== undefined) return line([], noSuchVerb(root, route, target, word));
  // A line that names only a group prints the group's help, whatever flags stand before it. A line that names only the
  // program is an error.
  return line([], target === root ? wrongWords(route, "No verb is named.") : null);
}

/** `--json` is searched for by hand, because it must take effect even if the rest of the line cannot be parsed. */
export function wantsJson(argv: readonly string[]): boolean {
  return beforeEscape(argv).some((word) => /^--json(?:=(?!(?:false|f|no|n|off|0)$)|$)/i.test(word));
}

interface Walked {
  readonly route: Route;
  readonly target: VerbOrGroup;
  /** Flags, with their values, that stand before the verb. */
  readonly early: readonly string[];
  readonly rest: readonly string[];
}

function walk(root: Group, argv: readonly string[]): Walked {
  const takesValue = takesValueOf(root);
  const early: string[] = [];
  let route: Route = [PROGRAM];
  let group = root;
  let at = 0;
  for (; at < argv.length; at++) {
    const word = argv[at] ?? "";
    const named = group === root ? (flagsForVerbs.get(word) ?? word) : word;
    const next = membersOf(group).find(({ name }) => name === named)?.target;
    if (next !== undefined) {
      route = [...route, named];
      if (isVerb(next)) return { route, target: next, early, rest: argv.slice(at + 1) };
      group = next;
      continue;
    }
    const valueFollows = takesValue.get(flagIn(word));
    if (valueFollows === undefined) break;
    early.push(word);
    const value = argv[at + 1];
    if (!valueFollows || word.includes("=") || value === undefined) continue;
    early.push(value);
    at += 1;
  }
  return { route, target: group, early, rest: argv.slice(at) };
}

function flagProblem(route: Route, target: VerbOrGroup, takesValue: TakesValue, all: readonly string[]) {
  const words = beforeEscape(all);
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (!isFlag(word)) continue;
    const valueFollows = takesValue.get(flagIn(word));
    if (valueFollows === undefined) return noSuchFlag(route, target, word);
    if (!valueFollows || word.includes("=")) continue;
    at += 1;
    const value = words[at];
    if (value === undefined || /^--?[a-z]/i.test(value)) return valueRequired(route, word, value);
  }
  return null;
}

function takesValueOf(target: VerbOrGroup): TakesValue {
  return new Map(flagsOf(target).map(({ flag, value }) => [flag, value !== null]));
}

/** Splits `--flag=value` in two: the parser takes it for an argument if the value is empty or contains a line end. */
function separated(words: readonly string[], takesValue: TakesValue): readonly string[] {
  const before = beforeEscape(words);
  const apart = before.flatMap((word) => {
    const valueFollows = takesValue.get(flagIn(word));
    const [flag = ""] = word.split("=", 1);
    const value = word.slice(flag.length + 1);
    if (valueFollows === undefined || flag === word || /^.+$/.test(value)) return [word];
    return valueFollows ? [flag, value] : [flag];
  });
  return [...apart, ...words.slice(before.length)];
}

/** "--max" of "--max=3" and of "--max" */
function flagIn(word: string): string {
  const [flag = ""] = word.split("=", 1);
  return flag.startsWith("--") ? `--${kebab(flag.slice(2))}` : flag;
}

function isFlag(word: string): boolean {
  return word.startsWith("-") && word !== "-";
}

function isHelp(word: string): boolean {
  return word === HELP.flag || word === HELP.alias;
}

/** The words before `--`; everything after it is an argument. */
function beforeEscape(words: readonly string[]): readonly string[] {
  const end = words.indexOf("--");
  return end === -1 ? words : words.slice(0, end);
}
