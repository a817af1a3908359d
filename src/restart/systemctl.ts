import { DeployError, isDeployError } from "../core/errors.ts";
import type { SupervisorEffects } from "./effects.ts";
import { ASK_TIMEOUT_MS, runOperation } from "./run.ts";

/** The state of a unit, from `systemctl show`. */
export interface UnitState {
  /** ActiveState of systemctl(1): "active", "activating" (also between two automatic restarts), "failed", … */
  readonly state: string;
  /** Null when there is no main process at this moment. */
  readonly mainPid: number | null;
  /** When the main process was started, in microseconds since boot. */
  readonly startedAtUs: number;
  /**
   * Nothing of it runs, no job is about to start it, and it may be started: for example after a boot, if it is not
   * enabled.
   */
  readonly isStopped: boolean;
  /** The units that trigger it, such as a socket. */
  readonly triggeredBy: readonly string[];
}

/** "kill" sends KILL to all processes of the unit. */
type Verb = "start" | "stop" | "kill" | "restart" | "reload" | "reload-or-restart";

/**
 * Tells systemd to do something with a unit. Before a start its start counter is reset: if a unit has just failed several
 * times, systemd would also refuse to start the build that fixes it.
 *
 * @throws DeployError `restart-failed`, `restart-timeout`, `aborted`
 */
export async function tellUnit(
  verb: Verb,
  unit: string,
  timeoutMs: number,
  effects: SupervisorEffects,
  signal: AbortSignal,
): Promise<void> {
  if (verb === "start" || verb === "restart" || verb === "reload-or-restart")
    await forgetFailures(unit, timeoutMs, effects, signal);
  await runOperation(
    {
      // An argument list and "--" are used because the unit's name comes from a build: it must not become an option or a
      // shell word.
      run: ["systemctl", "--no-ask-password", verb, ...(verb === "kill" ? ["--signal=SIGKILL"] : []), "--", unit],
      background: "kill",
      as: "agent",
      timeoutMs,
      what: `${verb} ${unit}`,
      hint: unitHint(unit),
      debianPackage: "systemd",
      signal,
    },
    effects,
  );
}

async function forgetFailures(
  unit: string,
  timeoutMs: number,
  effects: SupervisorEffects,
  signal: AbortSignal,
): Promise<void> {
  try {
    const run = ["systemctl", "--no-ask-password", "reset-failed", "--", unit];
    const limitMs = Math.min(timeoutMs, ASK_TIMEOUT_MS);
    await effects.run(run, { background: "kill", timeoutMs: limitMs, label: "supervisor", as: "agent", signal });
  } catch (error) {
    if (isDeployError(error) && error.code === "aborted") throw error;
    // Ignored: if systemctl or systemd is missing, the start itself reports it; a unit that is not loaded has no failures
    // to reset.
  }
}

/** @throws DeployError `restart-failed` if systemd cannot be asked, `restart-timeout`, `aborted` */
export async function showUnit(unit: string, effects: SupervisorEffects, signal: AbortSignal): Promise<UnitState> {
  const shown = await runOperation(
    {
      run: ["systemctl", "show", `--property=${PROPERTIES}`, "--", unit],
      background: "kill",
      as: "agent",
      timeoutMs: ASK_TIMEOUT_MS,
      what: `ask systemd for ${unit}`,
      hint: unitHint(unit),
      debianPackage: "systemd",
      asks: true,
      signal,
    },
    effects,
  );
  const property = (name: string): string | undefined => new RegExp(`^${name}=(.*)$`, "m").exec(shown)?.[1];
  const state = property("ActiveState");
  if (state === undefined || state === "") {
    throw new DeployError(`Cannot ask systemd for ${unit}: no ActiveState in "${shown.trim()}".`, {
      code: "restart-failed",
    });
  }
  const pid = Number(property("MainPID") ?? 0);
  const hasJob = (property("Job") ?? "") !== "" && property("Job") !== "0";
  return {
    state,
    mainPid: pid > 0 ? pid : null,
    startedAtUs: Number(property("ExecMainStartTimestampMonotonic") ?? 0),
    isStopped: (state === "inactive" || state === "failed") && !hasJob && property("LoadState") === "loaded",
    triggeredBy: (property("TriggeredBy") ?? "").split(" ").filter((name) => name !== ""),
  };
}

const PROPERTIES = "ActiveState,LoadState,Job,MainPID,ExecMainStartTimestampMonotonic,TriggeredBy";

export function unitHint(unit: string): string {
  return `See: systemctl status ${unit}; journalctl -u ${unit} -n 50.`;
}
