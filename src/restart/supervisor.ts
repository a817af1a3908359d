import type { RestartSpec } from "../core/resolved_recipe.ts";
import { commandSupervisor } from "./command.ts";
import type { Supervisor, SupervisorPorts } from "./ports.ts";
import { runitSupervisor } from "./runit.ts";
import { s6Supervisor } from "./s6.ts";
import { signalSupervisor } from "./signal.ts";
import { supervisordSupervisor } from "./supervisord.ts";
import { systemdSocketSupervisor } from "./systemd_socket.ts";
import { systemdSupervisor } from "./systemd.ts";

export function supervisorFor(spec: RestartSpec, ports: SupervisorPorts): Supervisor {
  switch (spec.by) {
    case "systemd":
      return systemdSupervisor(spec, ports);
    case "command":
      return commandSupervisor(spec, ports);
    case "signal":
      return signalSupervisor(spec, ports);
    case "systemd-socket":
      return systemdSocketSupervisor(spec, ports);
    case "runit":
      return runitSupervisor(spec, ports);
    case "s6":
      return s6Supervisor(spec, ports);
    case "supervisord":
      return supervisordSupervisor(spec, ports);
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
