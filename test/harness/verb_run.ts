import { group } from "../../src/cli/help.ts";
import { runVerb } from "../../src/cli/run.ts";
import type { Process } from "../../src/cli/process.ts";
import type { Group, Verb } from "../../src/cli/verb.ts";
import { DeployError } from "../../src/core/errors.ts";
import { errorCodeSchema } from "../../src/schema/error_code.ts";
import { systemClock } from "../../src/support/clock.ts";

export interface VerbRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The binary with some verbs alone, which need no more of a process than a test has. */
export function program<P extends Process>(members: Readonly<Record<string, Verb<P> | Group<P>>>): Group<P> {
  return group({ members, brief: "", fullDescription: "" });
}

/** Runs a verb in this process as the binary does, on streams of its own. */
export async function runAlone(name: string, verb: Verb<Process>, argv: readonly string[]): Promise<VerbRun> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runVerb(program({ [name]: verb }), [name, ...argv], {
    stdout: { write: (text) => void out.push(text) },
    stderr: { write: (text) => void err.push(text) },
    stdoutIsTerminal: false,
    env: {},
    signal: new AbortController().signal,
    clock: systemClock,
    version: "0.1.0",
  });
  return { code, stdout: out.join(""), stderr: err.join("") };
}

/** What a verb answers with --json. @throws DeployError that it answers with */
export async function answerOf(name: string, verb: Verb<Process>, argv: readonly string[]): Promise<unknown> {
  const { stdout } = await runAlone(name, verb, [...argv, "--json"]);
  const answer = JSON.parse(stdout) as { error?: { code: string; message: string; hint: string } };
  if (answer.error === undefined) return answer;
  const { code, message, hint } = answer.error;
  throw new DeployError(message, { code: errorCodeSchema.parse(code), hint });
}
