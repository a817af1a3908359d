import { DeployError, isDeployError } from "../core/errors.ts";
import { type CommandResult, howItEnded } from "../support/command.ts";
import { redact } from "../support/redact.ts";
import type { SupervisorPorts } from "./ports.ts";

export interface Operation {
  readonly run: string | readonly string[];
  readonly background: "kill" | "leave";
  readonly as: "service" | "agent";
  readonly timeoutMs: number;
  /** Follows "Cannot": `restart web.service`. */
  readonly what: string;
  readonly hint: string;
  readonly signal: AbortSignal;
}

/**
 * Runs one operation of a supervisor and returns the end of its output.
 *
 * @throws DeployError `restart-failed` when it could not be started or did not exit with 0, `restart-timeout`, `aborted`
 */
export async function runOperation(operation: Operation, ports: SupervisorPorts): Promise<string> {
  const { run, background, as, timeoutMs, what, hint, signal } = operation;
  const result = await ports
    .run(run, { background, timeoutMs, label: "restart", as, signal })
    .catch((error: unknown) => {
      if (!isDeployError(error) || error.code === "aborted") throw error;
      throw new DeployError(`Cannot ${what}: ${error.message}`, {
        code: "restart-failed",
        hint: error.hint === "" ? hint : error.hint,
        cause: error,
      });
    });
  if (result.kind === "exited" && result.code === 0) return result.tail;
  throw new DeployError(`Cannot ${what}: "${shown(run)}" ${howItEnded(result, timeoutMs)}${said(result)}.`, {
    code: result.kind === "timed-out" ? "restart-timeout" : "restart-failed",
    hint,
  });
}

/** The last lines that an error quotes; all of it is in the log. */
const QUOTED_LINES = 3;

function said(result: CommandResult): string {
  const lines = redact(result.tail).trim().split("\n").slice(-QUOTED_LINES);
  const text = lines.join(" / ").replace(/\.$/, "");
  return text === "" ? "" : `, saying: ${text}`;
}

function shown(run: string | readonly string[]): string {
  return redact(typeof run === "string" ? run : run.join(" "));
}
