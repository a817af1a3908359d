import { buildCommand } from "@stricli/core";
import { exit } from "../cli/exit.ts";
import { anyText } from "../cli/flags.ts";
import { description } from "../cli/help.ts";
import type { Process } from "../cli/process.ts";
import { verb, type Verb } from "../cli/verb.ts";
import { usageError } from "../cli/usage_error.ts";
import { helpPage, topics } from "./pages.ts";

/** @param overview what is printed if no page is named */
export function helpVerb(overview: () => string): Verb<Process> {
  return buildCommand({
    docs: {
      brief: `A page of the manual: ${topics.join(", ")}`,
      fullDescription: description({
        what: `Prints a page of the manual: ${topics.join(", ")}.\nWithout a page: what verbs there are.`,
        examples: ["deployd help recipe"],
        exits: { [exit.asked]: true },
      }),
      customUsage: ["[<page>]"],
    },
    parameters: {
      positional: {
        kind: "tuple",
        parameters: [{ brief: "Name of the page", placeholder: "page", parse: anyText, optional: true }],
      },
    },
    func: verb<Process, object, [string | undefined]>(async ({ process }, _flags, topic) => {
      const found = topic === undefined ? { page: overview() } : helpPage(topic);
      if ("problem" in found) throw usageError(found.problem, "See: deployd help");
      process.stdout.write(found.page);
      return exit.asked;
    }),
  });
}
