import type { RestartSpec } from "../core/recipe.ts";
import { commandSupervisor } from "./command.ts";
import type { Supervisor, SupervisorPorts } from "./ports.ts";
import { signalSupervisor } from "./signal.ts";
import { systemdSupervisor } from "./systemd.ts";

export function supervisorFor(spec: RestartSpec, ports: SupervisorPorts): Supervisor {
  switch (spec.by) {
    case "systemd":
      return systemdSupervisor(spec, ports);
    case "command":
      return commandSupervisor(spec, ports);
    case "signal":
      return signalSupervisor(spec, ports);
  }
}

/**
 * Restarts or reloads the service, as its recipe says. That it is healthy afterwards is for a check to say.
 *
 * @throws DeployError `restart-failed` with the end of the output, `restart-timeout`, `aborted`
 */
export async function restart(spec: RestartSpec, ports: SupervisorPorts, signal: AbortSignal): Promise<void> {
  await supervisorFor(spec, ports).restart(signal);
}

/** @throws DeployError `restart-failed` when the supervisor cannot be asked */
export async function mainPids(spec: RestartSpec, ports: SupervisorPorts, signal: AbortSignal): Promise<number[]> {
  return await supervisorFor(spec, ports).mainPids(signal);
}
