import { buildApplication, help, run, text_en, type ApplicationText } from "@stricli/core";
import { readArgv, wantsJson } from "./argv.ts";
import { exit, type ExitCode } from "./exit.ts";
import { Output } from "./output.ts";
import type { Process } from "./process.ts";
import { flagsOf, PROGRAM } from "./routes.ts";
import { sentenceOf, wrongWords } from "./usage_error.ts";
import type { Group, VerbContext } from "./verb.ts";

/**
 * Runs the verb that `argv` names (without the program's name) and returns the exit code. It never throws and never ends
 * the process. With --json anywhere in the line an error is a JSON document on stdout as well, whatever is wrong.
 */
export async function runVerb<P extends Process>(
  root: Group<P>,
  argv: readonly string[],
  process: P,
): Promise<ExitCode> {
  const output = new Output(process, wantsJson(argv));
  const line = readArgv(root, argv);
  const said: string[] = [];
  const context: VerbContext<P> & { process: StricliProcess } = {
    process: { stdout: process.stdout, stderr: { write: (text) => void said.push(text) } },
    run: { process, output },
    route: line.route.join(" "),
    exitCode: null,
  };
  if (argv.length === 0) context.process.stdout = process.stderr;
  else if (line.problem !== null) {
    output.error(line.problem);
    return exit.usage;
  }
  const flags = new Set(flagsOf(line.target).map(({ flag }) => flag));
  await run(
    applicationOf(root, (error) => sentenceOf(error, flags)),
    line.words,
    context,
  );
  if (context.exitCode !== null) return context.exitCode;
  if (said.length === 0) return argv.length === 0 ? exit.usage : exit.asked;
  output.error(wrongWords(line.route, said.join("").trim().replaceAll("\n", " ")));
  return exit.usage;
}

interface StricliProcess {
  stdout: Process["stdout"];
  stderr: Process["stderr"];
  exitCode?: number;
}

function applicationOf<P extends Process>(root: Group<P>, explain: (error: unknown) => string) {
  const text: ApplicationText = {
    ...text_en,
    headers: { ...text_en.headers, commands: "VERBS" },
    briefs: {
      ...text_en.briefs,
      argumentEscapeSequence: "Whatever follows is an argument, even where it begins with a dash",
    },
    exceptionWhileParsingArguments: explain,
  };
  const documentation = { disableAnsiColor: true, onlyRequiredInUsageLine: true } as const;
  return buildApplication<VerbContext<P>>(
    root,
    {
      name: PROGRAM,
      scanner: { caseStyle: "allow-kebab-for-camel", allowArgumentEscapeSequence: true },
      documentation,
      localization: { text },
    },
    {
      help: help({
        brief: "Print this",
        defaultForRouteMap: true,
        formatting: { ...documentation, useAliasInUsageLine: false, caseStyle: "convert-camel-to-kebab" },
      }),
    },
  );
}
