import { DeployError } from "../core/errors.ts";
import type { RestartSpec } from "../core/recipe.ts";
import type { Supervisor, SupervisorPorts } from "./ports.ts";
import { runOperation } from "./run.ts";

/** A service that is started by a line of shell, and lives on when the line is done. */
export function commandSupervisor(spec: Extract<RestartSpec, { by: "command" }>, ports: SupervisorPorts): Supervisor {
  const { stop, start, reload, timeoutMs } = spec;

  const operate = async (
    name: string,
    run: string,
    background: "kill" | "leave",
    signal: AbortSignal,
  ): Promise<void> => {
    const hint = `See the restart log of the release; the command is restart.${name} of the build.`;
    await runOperation({ run, background, as: "service", timeoutMs, what: `${name} the service`, hint, signal }, ports);
  };

  if (reload !== undefined) {
    // "leave": a reload may well start the new processes itself.
    return {
      restart: (signal) => operate("reload", reload, "leave", signal),
      parts: null,
      handover: null,
      mainPids: async () => [],
    };
  }
  if (start === undefined) {
    throw new DeployError("Cannot restart the service by command: neither restart.start nor restart.reload is given.", {
      code: "manifest-invalid",
      hint: 'Give restart.start (and restart.stop, when there is something to stop), or "reload".',
    });
  }
  const parts = {
    stop: async (signal: AbortSignal) => {
      if (stop !== undefined) await operate("stop", stop, "kill", signal);
    },
    start: (signal: AbortSignal) => operate("start", start, "leave", signal),
  };
  return {
    restart: async (signal) => {
      await parts.stop(signal);
      await parts.start(signal);
    },
    parts,
    handover: null,
    mainPids: async () => [],
  };
}
