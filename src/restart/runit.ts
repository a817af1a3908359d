import type { RestartSpec } from "../core/recipe.ts";
import type { Supervisor, SupervisorPorts } from "./ports.ts";

export function runitSupervisor(_spec: Extract<RestartSpec, { by: "runit" }>, _ports: SupervisorPorts): Supervisor {
  throw new Error("not built");
}
