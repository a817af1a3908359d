import type { RestartSpec } from "../core/recipe.ts";
import type { Supervisor, SupervisorPorts } from "./ports.ts";

export function supervisordSupervisor(
  _spec: Extract<RestartSpec, { by: "supervisord" }>,
  _ports: SupervisorPorts,
): Supervisor {
  throw new Error("not built");
}
