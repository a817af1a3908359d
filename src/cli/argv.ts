import type { RouteMap } from "@stricli/core";
import type { CtlContext } from "../ctl/verb.ts";
import { flagsOf, isVerb } from "./help.ts";

type Root = RouteMap<CtlContext>;

/** The words of `argv` that name a verb or a group of verbs. */
export function routeOf(root: Root, argv: readonly string[]): readonly string[] {
  return walk(root, argv).route;
}

/**
 * `argv` with the flags that stand before the verb, or between a group and its verb, behind it: `--json status` is what
 * `status --json` is. The parser takes the first word for the verb, whatever it is.
 */
export function verbFirst(root: Root, argv: readonly string[]): readonly string[] {
  const { route, early, rest, verb } = walk(root, argv);
  // Where there is no verb the parser says so, or has help for what there is; flags are nothing to either.
  return verb ? [...route, ...early, ...rest] : [...route, ...rest];
}

interface Walked {
  readonly route: readonly string[];
  /** Flags, with their values, before the verb. */
  readonly early: readonly string[];
  readonly rest: readonly string[];
  /** Whether the route leads to a verb. */
  readonly verb: boolean;
}

function walk(root: Root, argv: readonly string[]): Walked {
  const takesValue = new Map(flagsOf(root).map(({ flag, value }) => [flag, value !== null]));
  const route: string[] = [];
  const early: string[] = [];
  let group = root;
  let at = 0;
  for (; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (takesValue.has(word) || takesValue.has(word.replace(/=.*/s, ""))) {
      early.push(word);
      const value = argv[at + 1];
      if (takesValue.get(word) === true && value !== undefined) {
        early.push(value);
        at += 1;
      }
      continue;
    }
    const next = group.getRoutingTargetForInput(word);
    if (next === undefined) break;
    route.push(word);
    if (isVerb(next)) return { route, early, rest: argv.slice(at + 1), verb: true };
    group = next;
  }
  return { route, early, rest: argv.slice(at), verb: false };
}
