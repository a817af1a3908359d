import type { Command, RouteMap } from "@stricli/core";
import type { CtlContext } from "../ctl/verb.ts";
import { table } from "./table.ts";

type Verb = Command<CtlContext>;
type Target = Verb | RouteMap<CtlContext>;

/** A flag as it is typed, and the name of what stands behind it; null where nothing does. */
interface Flag {
  readonly flag: string;
  readonly value: string | null;
  readonly brief: string;
}

export function isVerb(target: Target): target is Verb {
  return "parameters" in target;
}

/** The flags of a verb, or all those of a group's verbs. */
export function flagsOf(target: Target): Flag[] {
  if (!isVerb(target)) return target.getAllEntries().flatMap((entry) => flagsOf(entry.target));
  return Object.entries(target.parameters.flags ?? {}).map(([name, flag]) => ({
    flag: `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    value: flag.kind === "boolean" ? null : (flag.placeholder ?? "value"),
    brief: flag.brief,
  }));
}

/** The same verbs, with a --help that names the values of their flags, which the parser's own does not. */
export function withValueNames<T extends Readonly<Record<string, Target>>>(targets: T): T {
  const explained = Object.entries(targets).map(([name, target]) => {
    if (!isVerb(target)) return [name, target];
    const formatHelp: Verb["formatHelp"] = (args) => target.formatHelp(args).replace(FLAGS, () => flagLines(target));
    return [name, { ...target, formatHelp }];
  });
  return Object.fromEntries(explained) as T;
}

/** The heading and what stands below it. */
const FLAGS = /^FLAGS\n(?:.+\n)*/m;

function flagLines(verb: Verb): string {
  const rows = [
    ...flagsOf(verb).map(({ flag, value, brief }) => [value === null ? flag : `${flag} <${value}>`, brief]),
    ["-h, --help", "Print this"],
    ["--", "Whatever follows is an argument, even where it begins with a dash"],
  ];
  return `FLAGS\n${table(rows, { indent: "  " }).join("\n")}\n`;
}
