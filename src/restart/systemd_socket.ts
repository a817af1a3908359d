import type { RestartSpec } from "../core/recipe.ts";
import type { Supervisor, SupervisorPorts } from "./ports.ts";

export function systemdSocketSupervisor(
  _spec: Extract<RestartSpec, { by: "systemd-socket" }>,
  _ports: SupervisorPorts,
): Supervisor {
  throw new Error("not built");
}
