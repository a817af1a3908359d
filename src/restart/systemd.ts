import { DeployError } from "../core/errors.ts";
import type { RestartSpec } from "../core/recipe.ts";
import type { Supervisor, SupervisorPorts } from "./ports.ts";
import { runOperation } from "./run.ts";

/** Asking systemd what runs answers at once or not at all. */
const SHOW_TIMEOUT_MS = 10_000;

/** States in which MainPID is a process of the service (systemctl(1), ActiveState). */
const RUNNING = new Set(["active", "reloading", "refreshing", "activating", "deactivating"]);

export function systemdSupervisor(spec: Extract<RestartSpec, { by: "systemd" }>, ports: SupervisorPorts): Supervisor {
  const { unit, timeoutMs } = spec;
  const hint = `See: systemctl status ${unit}; journalctl -u ${unit} -n 50.`;

  const systemctl = async (verb: string, signal: AbortSignal): Promise<void> => {
    await runOperation(
      {
        // An argument list and "--": the name of a unit comes from a build and must not become an option or a shell word.
        run: ["systemctl", "--no-ask-password", verb, "--", unit],
        background: "kill",
        as: "agent",
        timeoutMs,
        what: `${verb} ${unit}`,
        hint,
        signal,
      },
      ports,
    );
  };

  return {
    restart: (signal) => systemctl(spec.action, signal),
    parts: {
      stop: (signal) => systemctl("stop", signal),
      start: (signal) => systemctl("start", signal),
    },
    handover: null,
    mainPids: async (signal) => {
      const shown = await runOperation(
        {
          run: ["systemctl", "show", "--property=MainPID,ActiveState", "--", unit],
          background: "kill",
          as: "agent",
          timeoutMs: Math.min(timeoutMs, SHOW_TIMEOUT_MS),
          what: `ask systemd for ${unit}`,
          hint,
          signal,
        },
        ports,
      );
      return pidsIn(shown, unit);
    },
  };
}

/** `MainPID=4711` and `ActiveState=active`, in any order. */
function pidsIn(shown: string, unit: string): number[] {
  const pid = /^MainPID=(\d+)$/m.exec(shown)?.[1];
  const state = /^ActiveState=(\S+)$/m.exec(shown)?.[1];
  if (pid === undefined || state === undefined) {
    throw new DeployError(`Cannot ask systemd for ${unit}: no MainPID and ActiveState in "${shown.trim()}".`, {
      code: "restart-failed",
    });
  }
  return pid !== "0" && RUNNING.has(state) ? [Number(pid)] : [];
}
