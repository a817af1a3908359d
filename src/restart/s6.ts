import type { RestartSpec } from "../core/recipe.ts";
import type { Supervisor, SupervisorPorts } from "./ports.ts";

export function s6Supervisor(_spec: Extract<RestartSpec, { by: "s6" }>, _ports: SupervisorPorts): Supervisor {
  throw new Error("not built");
}
