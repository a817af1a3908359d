import type { Command, CommandContext, RouteMap } from "@stricli/core";
import { asDeployError, type DeployError } from "../core/errors.ts";
import { exitForError, exitForSignal, type ExitCode } from "./exit.ts";
import type { Output } from "./output.ts";
import type { Process } from "./process.ts";

/** What one run of a verb works with. */
export interface Run<P extends Process> {
  readonly process: P;
  readonly output: Output;
}

/** What the parser hands to a verb; the exit code goes back the same way. */
export interface VerbContext<P extends Process> extends CommandContext {
  readonly run: Run<P>;
  /** The words that name the verb, as in "deployd ctl deploy". */
  readonly route: string;
  exitCode: ExitCode | null;
}

/** Something that is run from the command line. A command is a shell command of a recipe. */
export type Verb<P extends Process = never> = Command<VerbContext<P>>;
/** Verbs that are named after a common word, as in "builds add" and "builds list". */
export type Group<P extends Process = never> = RouteMap<VerbContext<P>>;

/**
 * Adapts a verb's function to the parser: it connects it to the process, reports what it throws, and keeps its exit code.
 * The parser's own handling of exceptions is never reached.
 */
export function verb<P extends Process, F, A extends readonly unknown[]>(
  perform: (run: Run<P>, flags: F, ...args: A) => Promise<ExitCode>,
): (this: VerbContext<P>, flags: F, ...args: A) => Promise<void> {
  return async function (flags, ...args) {
    try {
      this.exitCode = await perform(this.run, flags, ...args);
    } catch (error) {
      this.exitCode = exitAfter(error, this.route, this.run);
    }
  };
}

function exitAfter(error: unknown, route: string, { process: { signal }, output }: Run<Process>): ExitCode {
  const known = asDeployError(error, `Cannot finish "${route}"`);
  // A verb that was called off reports only what the person cannot know: that a write may have happened.
  if (!signal.aborted || known.code === "write-unknown") output.error(known);
  if (signal.aborted) return exitForSignal(signal.reason);
  if (known.code === "internal") output.note(stackOf(known));
  return exitForError(known.code);
}

/** The stack of an unexpected error, so that whoever reports it need not reproduce it first. */
function stackOf(error: DeployError): string {
  const { cause } = error;
  return (cause instanceof Error ? cause.stack : error.stack) ?? "";
}
