import type { DeployRecord, DeployState } from "../schema/znodes.ts";

/** States in which a deploy still moves, or waits for a person; one deploy per service at a time may be in one. */
export function isRunning(state: DeployState): boolean {
  switch (state) {
    case "preparing":
    case "canary":
    case "rolling":
    case "rolling back":
      return true;
    case "done":
    case "halted":
    case "aborted":
    case "rolled back":
      return false;
  }
}

/**
 * States in which hosts may be granted slots. A deploy that is done goes on granting: a host that was unreachable
 * converges when it is back. A halted or aborted one grants nothing until a person decides.
 */
export function grantsSlots(state: DeployState): boolean {
  return state !== "halted" && state !== "aborted";
}

/** The build that hosts following this deploy are being brought to; null when it goes back to nothing. */
export function buildWanted(record: DeployRecord): string | null {
  return goesBack(record.state) ? record.previous : record.build;
}

export function goesBack(state: DeployState): boolean {
  return state === "rolling back" || state === "rolled back";
}
