import type { RestartSpec } from "../core/resolved_recipe.ts";
import type { Supervisor, SupervisorPorts } from "./ports.ts";
import { showUnit, tellUnit } from "./systemctl.ts";

/** States in which MainPID is a process of the service (systemctl(1), ActiveState). */
const RUNNING = new Set(["active", "reloading", "refreshing", "activating", "deactivating"]);

/** A unit of systemd, also an instance of a template (`web@1.service`). */
export function systemdSupervisor(spec: Extract<RestartSpec, { by: "systemd" }>, ports: SupervisorPorts): Supervisor {
  const { unit, timeoutMs } = spec;
  return {
    restart: (signal) => tellUnit(spec.action, unit, timeoutMs, ports, signal),
    // A reload is one thing to systemd, and nothing comes between.
    parts:
      spec.action === "restart"
        ? {
            stop: (signal) => tellUnit("stop", unit, timeoutMs, ports, signal),
            start: (signal) => tellUnit("start", unit, timeoutMs, ports, signal),
          }
        : null,
    handover: null,
    revival: {
      isNeeded: async (signal) => (await showUnit(unit, ports, signal)).isStopped,
      start: (signal) => tellUnit("start", unit, timeoutMs, ports, signal),
    },
    mainPids: async (signal) => {
      // Between two automatic restarts a unit is "activating" without a process.
      const { state, mainPid } = await showUnit(unit, ports, signal);
      return mainPid !== null && RUNNING.has(state) ? [mainPid] : [];
    },
  };
}
