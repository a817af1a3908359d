import { buildRouteMap } from "@stricli/core";
import { table } from "./table.ts";
import { exitCodesHelp, type ExitMeanings } from "./exit.ts";
import type { Process } from "./process.ts";
import { flagsOf, HELP, isVerb } from "./routes.ts";
import type { Group, Verb, VerbContext } from "./verb.ts";

/** What a `--help` says besides the flags and the arguments; those are taken from the verb itself. */
interface Described {
  readonly what: string;
  /** Lines that can be pasted into a shell. */
  readonly examples: readonly string[];
  readonly exits?: ExitMeanings;
}

export function description({ what, examples, exits }: Described): string {
  const title = examples.length === 1 ? "EXAMPLE" : "EXAMPLES";
  const shown = `${what}\n\n${title}\n${examples.map((example) => `  ${example}`).join("\n")}`;
  return exits === undefined ? shown : `${shown}\n\n${exitCodesHelp(exits)}`;
}

interface GroupRequest<P extends Process> {
  readonly members: Readonly<Record<string, Verb<P> | Group<P>>>;
  readonly brief: string;
  readonly fullDescription: string;
  /** Members that are only for the program's own use. */
  readonly hidden?: readonly string[];
}

/**
 * Verbs under a common word. The group's --help lists its members' flags with their values, which the parser's own help
 * does not.
 */
export function group<P extends Process>(request: GroupRequest<P>): Group<P> {
  const { members, brief, fullDescription, hidden = [] } = request;
  const explained = Object.entries(members).map(([name, member]) => [
    name,
    isVerb(member) ? withValues(member) : member,
  ]);
  return buildRouteMap<string, VerbContext<P>>({
    routes: Object.fromEntries(explained) as typeof members,
    docs: { brief, fullDescription, hideRoute: Object.fromEntries(hidden.map((name) => [name, true])) },
  });
}

function withValues<P extends Process>(verb: Verb<P>): Verb<P> {
  return { ...verb, formatHelp: (args) => verb.formatHelp(args).replace(FLAGS, () => flagLines(verb)) };
}

/** The heading FLAGS and the lines below it. */
const FLAGS = /^FLAGS\n(?:.+\n)*/m;

function flagLines(verb: Verb): string {
  const rows = [
    ...flagsOf(verb).map(({ flag, value, brief }) => [value === null ? flag : `${flag} <${value}>`, brief]),
    [`${HELP.alias}, ${HELP.flag}`, "Print this"],
    ["--", "Whatever follows is an argument, even where it begins with a dash"],
  ];
  return `FLAGS\n${table(rows, { indent: "  " }).join("\n")}\n`;
}
