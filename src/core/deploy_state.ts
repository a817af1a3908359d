import type { DeployRecord, DeployState, WayBack } from "../schema/deploy_record.ts";
import { stageText } from "./stages.ts";

type DeployIn<S extends DeployState> = Extract<DeployRecord, { state: S }>;

export type RunningDeploy = DeployIn<
  "preparing" | "canary" | "awaiting promotion" | "rolling" | "paused" | "rolling back"
>;

/** Who decides where nobody does. */
export const BY_ITSELF = "deployd";

/**
 * The deploy still moves or waits for a person; a service may have only one such deploy at a time. In every other state
 * it has ended.
 */
export function isRunning(record: DeployRecord): record is RunningDeploy {
  switch (record.state) {
    case "preparing":
    case "canary":
    case "awaiting promotion":
    case "rolling":
    case "paused":
    case "rolling back":
      return true;
    case "done":
    case "halted":
    case "aborted":
    case "rolled back":
      return false;
  }
}

/** When it ended; null while it runs. */
export function endedAt(record: DeployRecord): string | null {
  return isRunning(record) ? null : record.times.ended;
}

/**
 * Whether hosts may be granted slots. A deploy that is done goes on granting: a host that was unreachable converges when
 * it is back. A paused, halted or aborted one grants nothing until a person decides.
 */
export function grantsSlots({ state }: DeployRecord): boolean {
  return state !== "paused" && state !== "halted" && state !== "aborted";
}

/** How it came to be rolled back, also where the way back was halted; null for a deploy that was not rolled back. */
function wayBackOf(record: DeployRecord): WayBack | null {
  switch (record.state) {
    case "rolling back":
    case "rolled back":
      return record.rollback;
    case "paused":
    case "halted":
    case "aborted":
      return record.rollback ?? null;
    case "preparing":
    case "canary":
    case "awaiting promotion":
    case "rolling":
    case "done":
      return null;
  }
}

export function goesBack(record: DeployRecord): boolean {
  return wayBackOf(record) !== null;
}

/** The build that hosts following this deploy are brought to. */
export function buildWanted(record: DeployRecord): string {
  return wayBackOf(record)?.to ?? record.build;
}

/** Why it is in this state; empty where the state says it all. */
export function reasonOf(record: DeployRecord): string {
  switch (record.state) {
    case "paused":
    case "halted":
    case "aborted":
    case "rolling back":
    case "rolled back":
      return record.reason;
    case "preparing":
    case "canary":
    case "awaiting promotion":
    case "rolling":
    case "done":
      return "";
  }
}

/** Whether it is, or ended, in the stage of the canary hosts: the fleet has not seen its build. */
export function isOnCanaries({ stages, stage }: Pick<DeployRecord, "stages" | "stage">): boolean {
  return stages[stage]?.hosts === "canary";
}

/** The stage that it is in, or was in when it ended, as it is typed: "canary", "10%/5m". */
export function stageNow({ stages, stage }: Pick<DeployRecord, "stages" | "stage">): string {
  const found = stages[stage];
  return found === undefined ? "" : stageText(found);
}

/** Whether no other stage comes after the one that it is in. */
export function isInLastStage({ stages, stage }: Pick<DeployRecord, "stages" | "stage">): boolean {
  return stage >= stages.length - 1;
}

/** The next stage is the last, which comes to every host. */
export function isBeforeLastStage({ stages, stage }: Pick<DeployRecord, "stages" | "stage">): boolean {
  return stage === stages.length - 2;
}

/** The hosts of the stage after the one that it is in: "50%"; empty after the last. */
export function stageAfter({ stages, stage }: Pick<DeployRecord, "stages" | "stage">): string {
  return stages[stage + 1]?.hosts ?? "";
}

/** Whether its hosts serve it and a person has to say that it goes on; otherwise time alone may have to pass. */
export function waitsForPerson({ stages, stage, state }: Pick<DeployRecord, "stages" | "stage" | "state">): boolean {
  return state === "awaiting promotion" && typeof stages[stage]?.wait !== "number";
}
