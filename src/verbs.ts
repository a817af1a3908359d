import { buildCommand } from "@stricli/core";
import { agent } from "./agent/verb.ts";
import type { AgentProcess } from "./agent/start.ts";
import { exit } from "./cli/exit.ts";
import { description, group } from "./cli/help.ts";
import type { Process } from "./cli/process.ts";
import { flagsForVerbs, flagsOf, isVerb, membersOf, PROGRAM, type VerbOrGroup } from "./cli/routes.ts";
import { verb, type Group } from "./cli/verb.ts";
import { ctlFor } from "./ctl/group.ts";
import type { CtlProcess } from "./ctl/process.ts";
import { dev, sampleService, type DevProcess } from "./dev/verb.ts";
import { doctor } from "./doctor/verb.ts";
import { helpVerb } from "./help/verb.ts";
import { pack } from "./pack/verb.ts";

/** What all verbs together need of the operating system. */
export type AnyProcess = Process & AgentProcess & CtlProcess & DevProcess;

const version = buildCommand({
  docs: {
    brief: "Print the version",
    fullDescription: description({
      what: "Prints the version of this program.",
      examples: ["deployd version"],
      exits: { [exit.asked]: true },
    }),
  },
  parameters: {},
  func: verb<Process, object, []>(async ({ process }) => {
    process.stdout.write(`deployd ${process.version}\n`);
    return exit.asked;
  }),
});

/** Every verb but those of `ctl`. */
const others = {
  agent,
  pack,
  doctor,
  dev,
  version,
  "sample-service": sampleService,
};

/**
 * The verbs of the binary.
 *
 * @param argv without the program's name: of a verb that it names by its first words, the verbs beside it are left out
 */
export async function verbsFor(argv: readonly string[]): Promise<Group<AnyProcess>> {
  const [word = "", ...words] = argv;
  const ctl = Object.hasOwn(others, flagsForVerbs.get(word) ?? word)
    ? {}
    : { ctl: await ctlFor(word === "ctl" ? words : []) };
  const { agent, ...rest } = others;
  const overview = (): string => overviewOf(tree);
  const tree: Group<AnyProcess> = group<AnyProcess>({
    members: { agent, ...ctl, ...rest, help: helpVerb(overview) },
    brief: "Canary and fleet deploys straight onto machines, with ZooKeeper and nothing else central",
    fullDescription: "",
    hidden: ["sample-service"],
  });
  return { ...tree, formatHelp: overview };
}

/** What `deployd --help` prints, and `deployd` alone. */
function overviewOf(tree: Group<AnyProcess>): string {
  const rows = membersOf(tree)
    .filter(({ isHidden }) => !isHidden)
    .map(({ name, target }) => ({
      words: [PROGRAM, name, ...(hasOwnHelp(target) ? [] : argumentsOf(target))].join(" "),
      brief: target.brief.charAt(0).toLowerCase() + target.brief.slice(1),
      help: hasOwnHelp(target) ? `(${PROGRAM} ${name} --help)` : "",
    }));
  const wordsWidth = Math.max(...rows.map(({ words }) => words.length));
  const briefWidth = Math.max(...rows.map(({ brief, help }) => (help === "" ? 0 : brief.length)));
  const lines = rows.map(({ words, brief, help }) =>
    `  ${words.padEnd(wordsWidth)}  ${brief.padEnd(briefWidth)}  ${help}`.trimEnd(),
  );
  const title = "deployd: canary and fleet deploys straight onto machines, with ZooKeeper and nothing else central";
  return `${title}\n\n${lines.join("\n")}\n\nTry it: deployd dev\n`;
}

/** True for a verb whose help says more than its brief. */
function hasOwnHelp(target: VerbOrGroup): boolean {
  return !isVerb(target) || flagsOf(target).length > 0;
}

function argumentsOf(target: VerbOrGroup): string[] {
  const positional = isVerb(target) ? target.parameters.positional : undefined;
  return positional?.kind === "tuple"
    ? positional.parameters.map(({ placeholder = "" }) => placeholder.toUpperCase())
    : [];
}
