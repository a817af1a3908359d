import {
  ArgumentParseError,
  UnexpectedFlagError,
  UnexpectedPositionalError,
  UnsatisfiedFlagError,
  UnsatisfiedPositionalError,
} from "@stricli/core";
import { DeployError } from "../core/errors.ts";
import { nearest } from "../schema/problems.ts";
import { flagsForVerbs, flagsOf, HELP, membersOf, routesOf, type Route, type VerbOrGroup } from "./routes.ts";
import type { Group } from "./verb.ts";

/** What was typed is wrong. */
export function usageError(message: string, hint: string, cause?: unknown): DeployError {
  return new DeployError(message, { code: "usage", hint, ...(cause === undefined ? {} : { cause }) });
}

/** The words of a verb or a group are wrong; the hint points to its help. */
export function wrongWords(route: Route, message: string): DeployError {
  return usageError(message, `See: ${[...route, HELP.flag].join(" ")}`);
}

/** A word stands where a verb of the group is required, and the group has no such verb. */
export function noSuchVerb(root: Group, route: Route, group: Group, word: string): DeployError {
  const names = membersOf(group).flatMap(({ name, isHidden }) => (isHidden ? [] : [name]));
  const near = nearest(word, names) ?? elsewhere(root, word);
  return wrongWords(route, `There is no verb "${word}"${of(route)}.${meant(near)}`);
}

/** The full name of a verb that exists in another group: "deployd deploy" suggests "deployd ctl deploy". */
function elsewhere(root: Group, word: string): string | undefined {
  const all = routesOf(root).map(({ route }) => route);
  const lastOf = (route: Route): string => route.at(-1) ?? "";
  const name = nearest(word, all.map(lastOf));
  return all.find((route) => lastOf(route) === name)?.join(" ");
}

/** @param target the verb that the flag belongs to, or the group if it stands before the verb */
export function noSuchFlag(route: Route, target: VerbOrGroup, word: string): DeployError {
  const [typed = ""] = word.split("=");
  const ofProgram = route.length === 1 ? [...flagsForVerbs.keys()].filter((flag) => flag.startsWith("--")) : [];
  const known = [...new Set([...flagsOf(target).map(({ flag }) => flag), HELP.flag, ...ofProgram])];
  const bare = typed.replace(/^-+/, "");
  const near = nearest(bare, known.map(withoutDashes), bare.length < 3 ? 1 : undefined);
  // A shortened word, as in --conf, is far by edit distance from the flag that it begins.
  const flag = known.find((name) => withoutDashes(name) === near) ?? known.find((name) => name.startsWith(`--${bare}`));
  return wrongWords(route, `There is no flag ${typed}${of(route)}.${meant(flag)}`);
}

/** Empty for the program itself: its verbs and flags need no "of". */
function of(route: Route): string {
  return route.length === 1 ? "" : ` of "${route.join(" ")}"`;
}

function withoutDashes(flag: string): string {
  return flag.slice(2);
}

function meant(suggestion: string | undefined): string {
  return suggestion === undefined
    ? ""
    : ` Did you mean ${suggestion.startsWith("--") ? suggestion : `"${suggestion}"`}?`;
}

/** @param next the word in the value's place, if there is one */
export function valueRequired(route: Route, flag: string, next: string | undefined): DeployError {
  const value =
    next === undefined || next === "--" ? "" : ` A value that begins with a dash is written ${flag}=${next}.`;
  return wrongWords(route, `The flag ${flag} requires a value.${value}`);
}

/** What the parser found, as a sentence. @param flags those of the verb, as they are typed */
export function sentenceOf(error: unknown, flags: ReadonlySet<string>): string {
  if (error instanceof ArgumentParseError) {
    const { externalFlagNameOrPlaceholder: name, input, exception } = error;
    const where = flags.has(`--${name}`) ? `--${name}` : `<${name}>`;
    return `Cannot take "${input}" for ${where}: ${textOf(exception)}.`;
  }
  if (error instanceof UnsatisfiedPositionalError) return `The argument <${error.placeholder}> is missing.`;
  if (error instanceof UnexpectedPositionalError) {
    return `There are too many arguments, from "${error.input}" on: ${takes(error.expectedCount)}.`;
  }
  if (error instanceof UnexpectedFlagError) {
    const { externalFlagName, previousInput, input } = error;
    return `The flag --${externalFlagName} is given twice, as "${previousInput}" and as "${input}".`;
  }
  if (error instanceof UnsatisfiedFlagError) return `The flag --${error.externalFlagName} is missing.`;
  return `Cannot read the arguments: ${textOf(error)}.`;
}

function takes(count: number): string {
  if (count === 0) return "this verb takes none";
  return `this verb takes ${count === 1 ? "one" : count}`;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
