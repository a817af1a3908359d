import { DeployError, isDeployError } from "../core/errors.ts";
import { type CommandResult, howItEnded } from "../support/command.ts";
import { redact } from "../support/redact.ts";
import { saying } from "../support/saying.ts";
import type { SupervisorEffects } from "./effects.ts";

export interface Operation {
  readonly run: string | readonly string[];
  readonly background: "kill" | "leave";
  readonly as: "service" | "agent";
  readonly timeoutMs: number;
  /** Follows "Cannot": `restart web.service`. */
  readonly what: string;
  readonly hint: string;
  /** The Debian package of the program, named if the program is missing on the host. */
  readonly debianPackage?: string;
  /** True for a query that changes nothing: its output does not belong in the restart log. */
  readonly asks?: true;
  /**
   * Judges the result, for a program whose exit status does not tell; by default 0 is "done" and everything else
   * "failed".
   */
  readonly judge?: (code: number, said: string) => "done" | "failed" | "timed-out";
  readonly signal: AbortSignal;
}

/** How much longer than its own timeout a supervisor's tool may take to report that it has given up. In milliseconds. */
export const TOOL_SLACK_MS = 2000;

/** A query about what runs is answered at once or not at all. In milliseconds. */
export const ASK_TIMEOUT_MS = 10_000;

/**
 * Runs one operation of a supervisor and returns the end of its output.
 *
 * @throws DeployError `restart-failed` if it could not be started or failed, `restart-timeout`, `aborted`
 */
export async function runOperation(operation: Operation, effects: SupervisorEffects): Promise<string> {
  const { run, background, as, timeoutMs, what, hint, signal } = operation;
  const label = operation.asks === true ? "supervisor" : "restart";
  const result = await effects.run(run, { background, timeoutMs, label, as, signal }).catch((error: unknown) => {
    if (!isDeployError(error) || error.code === "aborted") throw error;
    throw new DeployError(`Cannot ${what}: ${error.message}`, {
      code: "restart-failed",
      hint: hintOf(operation, error),
      cause: error,
    });
  });
  const outcome = outcomeOf(result, operation);
  if (outcome === "done") return result.tail;
  throw new DeployError(`Cannot ${what}: "${shown(run)}" ${howItEnded(result, timeoutMs)}${saying(result.tail)}.`, {
    code: outcome === "timed-out" ? "restart-timeout" : "restart-failed",
    hint,
  });
}

function outcomeOf(result: CommandResult, { judge }: Operation): "done" | "failed" | "timed-out" {
  switch (result.kind) {
    case "exited":
      return judge === undefined ? (result.code === 0 ? "done" : "failed") : judge(result.code, result.tail);
    case "signalled":
      return "failed";
    case "timed-out":
      return "timed-out";
  }
}

function hintOf({ debianPackage, hint }: Operation, error: DeployError): string {
  if (debianPackage !== undefined && /no such program/.test(error.message)) {
    return `Install it (Debian: apt-get install ${debianPackage}), or let the build be restarted in another way.`;
  }
  return error.hint === "" ? hint : error.hint;
}

function shown(run: string | readonly string[]): string {
  return redact(typeof run === "string" ? run : run.join(" "));
}
