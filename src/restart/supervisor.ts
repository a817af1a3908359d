import type { RestartSpec } from "../core/resolved_recipe.ts";
import { commandSupervisor } from "./command.ts";
import type { Supervisor, SupervisorEffects } from "./effects.ts";
import { runitSupervisor } from "./runit.ts";
import { s6Supervisor } from "./s6.ts";
import { signalSupervisor } from "./signal.ts";
import { supervisordSupervisor } from "./supervisord.ts";
import { systemdSocketSupervisor } from "./systemd_socket.ts";
import { systemdSupervisor } from "./systemd.ts";

export function supervisorFor(spec: RestartSpec, effects: SupervisorEffects): Supervisor {
  switch (spec.by) {
    case "systemd":
      return systemdSupervisor(spec, effects);
    case "command":
      return commandSupervisor(spec, effects);
    case "signal":
      return signalSupervisor(spec, effects);
    case "systemd-socket":
      return systemdSocketSupervisor(spec, effects);
    case "runit":
      return runitSupervisor(spec, effects);
    case "s6":
      return s6Supervisor(spec, effects);
    case "supervisord":
      return supervisordSupervisor(spec, effects);
  }
}

/**
 * Restarts or reloads the service, as its recipe says. Whether it is healthy afterwards is decided by a check.
 *
 * @throws DeployError `restart-failed` with the end of the output, `restart-timeout`, `aborted`
 */
export async function restart(spec: RestartSpec, effects: SupervisorEffects, signal: AbortSignal): Promise<void> {
  await supervisorFor(spec, effects).restart(signal);
}

/** @throws DeployError `restart-failed` if the supervisor cannot be asked */
export async function mainPids(spec: RestartSpec, effects: SupervisorEffects, signal: AbortSignal): Promise<number[]> {
  return await supervisorFor(spec, effects).mainPids(signal);
}
