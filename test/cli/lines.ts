import { runVerb } from "../../src/cli/run.ts";
import { isVerb, routesOf, type Route } from "../../src/cli/routes.ts";
import type { Verb } from "../../src/cli/verb.ts";
import { DeployError } from "../../src/core/errors.ts";
import { systemClock } from "../../src/support/clock.ts";
import { verbsFor, type AnyProcess } from "../../src/verbs.ts";
import type { VerbRun } from "../harness/verb_run.ts";

/** Every verb of the binary, by the words that name it. */
export const everyVerb: readonly { route: Route; verb: Verb }[] = routesOf(await verbsFor([])).flatMap(
  ({ route, target }) => (isVerb(target) ? [{ route, verb: target }] : []),
);

/** Reads a line as the binary does, in this process, on a machine on which nothing can be started. */
export async function say(...words: readonly string[]): Promise<VerbRun> {
  const out: string[] = [];
  const err: string[] = [];
  const none = (): never => {
    throw new DeployError("Here nothing can be started.", { code: "aborted" });
  };
  const process: AnyProcess = {
    stdout: { write: (text) => void out.push(text) },
    stderr: { write: (text) => void err.push(text) },
    stdoutIsTerminal: false,
    columns: () => 80,
    env: {},
    signal: new AbortController().signal,
    onSignal: none,
    clock: systemClock,
    now: none,
    hostName: "box",
    user: "ana@laptop",
    version: "0.1.0",
    machine: none,
    openLog: none,
  };
  return { code: await runVerb(await verbsFor(words), words, process), stdout: out.join(""), stderr: err.join("") };
}

/** As many words as the verb has to be given. */
export function argumentsOf({ parameters: { positional } }: Verb): readonly string[] {
  if (positional?.kind !== "tuple") return [];
  return positional.parameters.filter(({ optional }) => optional !== true).map(() => "x");
}
