import type { DeployOutcome, Purpose } from "../view/deploy_events.ts";
import { exit, type ExitCode } from "../cli/exit.ts";

/** The exit code of a command that was asked for `purpose` and saw the deploy end with `outcome`. */
export function exitForOutcome(outcome: DeployOutcome, purpose: Purpose): ExitCode {
  switch (outcome.kind) {
    case "done":
      return purpose === "rollback" ? exit.failed : exit.asked;
    case "awaiting-promotion":
      return exit.asked;
    case "rolled-back":
      return purpose === "rollback" ? exit.asked : exit.rolledBack;
    case "halted":
    case "paused":
    case "held":
      return exit.halted;
    case "aborted":
      return purpose === "rollback" && outcome.nothingBefore ? exit.asked : exit.failed;
    case "overtaken":
      return exit.failed;
  }
}
