import type { Group, Verb } from "./verb.ts";

/** What a route leads to. */
export type VerbOrGroup = Verb | Group;

/** A flag as it is typed, and the name of the value that follows it; null if none does. */
interface Flag {
  readonly flag: string;
  readonly value: string | null;
  readonly brief: string;
}

/** The words that name a verb, the program's own name first, as in "deployd ctl deploy". */
export type Route = readonly string[];

export const PROGRAM = "deployd";
export const HELP = { flag: "--help", alias: "-h" } as const;

/** Words that are flags by convention and verbs in this program. */
export const flagsForVerbs: ReadonlyMap<string, string> = new Map([
  ["--version", "version"],
  ["-V", "version"],
]);

export function isVerb(target: VerbOrGroup): target is Verb {
  return "parameters" in target;
}

/** The members of a group; hidden ones, which are for the program's own use, are left out. */
export function membersOf(group: Group): { name: string; target: VerbOrGroup; isHidden: boolean }[] {
  return group.getAllEntries().map(({ name, target, hidden }) => ({ name: name.original, target, isHidden: hidden }));
}

/** Every route below a group, except hidden ones. */
export function routesOf(group: Group, route: Route = [PROGRAM]): { route: Route; target: VerbOrGroup }[] {
  return membersOf(group)
    .filter(({ isHidden }) => !isHidden)
    .flatMap(({ name, target }) => {
      const longer = [...route, name];
      return [{ route: longer, target }, ...(isVerb(target) ? [] : routesOf(target, longer))];
    });
}

/** The flags of a verb, or of all verbs of a group, except --help, which everything has. */
export function flagsOf(target: VerbOrGroup): Flag[] {
  if (!isVerb(target)) return membersOf(target).flatMap((member) => flagsOf(member.target));
  return Object.entries(target.parameters.flags ?? {}).map(([name, flag]) => ({
    flag: `--${kebab(name)}`,
    value: flag.kind === "boolean" ? null : (flag.placeholder ?? "value"),
    brief:
      "default" in flag && typeof flag.default === "string" ? `${flag.brief} (default: ${flag.default})` : flag.brief,
  }));
}

/** "connect-timeout-s" of "connectTimeoutS" */
export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
