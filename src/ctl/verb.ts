import { description } from "../cli/help.ts";
import { everyExit, exit, exitForSignal, type ExitCode, type ExitMeanings } from "../cli/exit.ts";
import { verb, type Run, type VerbContext } from "../cli/verb.ts";
import { attempting } from "../store/errors.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { addressFrom, openTree, type TreeAddress } from "./connection.ts";
import type { CommonFlags } from "./flags.ts";
import type { CtlProcess } from "./process.ts";

/** What a verb of ctl works with. */
export interface Ctl extends Run<CtlProcess> {
  readonly signal: AbortSignal;
  readonly address: TreeAddress;
  /**
   * A client that sees deployd's tree; the caller disposes of it.
   *
   * @param signal closes it when aborted; the process's signal unless given
   */
  readonly connect: (signal?: AbortSignal) => Promise<ZooKeeper>;
}

/** A verb that works with the tree in ZooKeeper. If it is interrupted, it has not done what it was asked for. */
export function ctlVerb<F extends CommonFlags, A extends readonly unknown[]>(
  perform: (ctl: Ctl, flags: F, ...args: A) => Promise<ExitCode>,
): (this: VerbContext<CtlProcess>, flags: F, ...args: A) => Promise<void> {
  return verb<CtlProcess, F, A>(async ({ process, output }, flags, ...args) => {
    const { signal } = process;
    const address = addressFrom(flags, process.env);
    const connect = (until: AbortSignal = signal): Promise<ZooKeeper> => openTree(address, until, process);
    // What the store has not said in its own words: that ZooKeeper is lost is no mistake of this program.
    const code = await attempting("Cannot finish the command", () =>
      perform({ process, output, signal, address, connect }, flags, ...args),
    );
    return signal.aborted ? exitForSignal(signal.reason) : code;
  });
}

/** How each of these verbs may end, beside the exit codes that all verbs have. */
export const ctlExits: ExitMeanings = {
  [exit.asked]: true,
  [exit.failed]: true,
  [exit.unreachable]: true,
  [exit.refused]: true,
};

/** The `--help` text of a verb of ctl. */
export function ctlDescription(what: string, ...examples: readonly string[]): string {
  return description({ what, examples, exits: ctlExits });
}

/**
 * The `--help` text of a verb that follows a deploy to its outcome.
 *
 * @param means what exit codes mean there, where that differs
 */
export function followDescription(means: ExitMeanings, what: string, ...examples: readonly string[]): string {
  return description({ what, examples, exits: { ...everyExit, ...means } });
}
