import type { CommandContext } from "@stricli/core";
import { asDeployError, isDeployError } from "../core/errors.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { addressFrom, openTree, type TreeAddress } from "./connection.ts";
import { exitForError, type ExitCode } from "../cli/exit.ts";
import type { CommonFlags } from "./flags.ts";
import { Output } from "../cli/output.ts";
import type { CtlProcess } from "./process.ts";

/** What a verb works with. */
export interface Ctl {
  readonly process: CtlProcess;
  readonly output: Output;
  readonly signal: AbortSignal;
  readonly address: TreeAddress;
  /**
   * A client that sees deployd's tree; the caller disposes of it.
   *
   * @param signal closes it when aborted; the process's signal unless given
   */
  readonly connect: (signal?: AbortSignal) => Promise<ZooKeeper>;
}

/** What the parser hands to a verb; the exit code goes back the same way. */
export interface CtlContext extends CommandContext {
  readonly ctlProcess: CtlProcess;
  exitCode: ExitCode | null;
}

/**
 * Makes a verb's function fit for the parser: it connects it to the process, prints what it throws, and keeps its exit
 * code. The parser's own treatment of exceptions is never reached.
 */
export function command<F extends CommonFlags, A extends readonly unknown[]>(
  run: (ctl: Ctl, flags: F, ...args: A) => Promise<ExitCode>,
): (this: CtlContext, flags: F, ...args: A) => Promise<void> {
  return async function (flags, ...args) {
    const process = this.ctlProcess;
    const output = new Output(process, flags.json === true);
    try {
      const address = addressFrom(flags, process.env);
      const { signal } = process;
      const connect = (until: AbortSignal = signal): Promise<ZooKeeper> => openTree(address, until, process);
      this.exitCode = await run({ process, output, signal, address, connect }, flags, ...args);
    } catch (error) {
      this.exitCode = reportError(error, process, output);
    }
  };
}

function reportError(error: unknown, process: CtlProcess, output: Output): ExitCode {
  const known = asDeployError(error, "Cannot go on");
  // A command that was called off says nothing but what the person cannot know: that a write may have happened.
  const calledOff = process.signal.aborted;
  if (!calledOff || known.code === "write-unknown") output.error(known);
  if (!calledOff && known.code === "internal" && !isDeployError(error) && error instanceof Error)
    output.note(error.stack ?? "");
  return exitForError(known.code);
}

/** The text of a verb's `--help`: what it does, and examples that can be pasted. */
export function description(what: string, ...examples: readonly string[]): string {
  const title = examples.length === 1 ? "EXAMPLE" : "EXAMPLES";
  return `${what}\n\n${title}\n${examples.map((example) => `  ${example}`).join("\n")}`;
}
